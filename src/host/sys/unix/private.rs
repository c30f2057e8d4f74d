//! Files that nobody else may read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// No key is longer.
const LONGEST: u64 = 64 * 1024;

/// Reads a file, unless everybody may.
pub fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    if mode & 0o007 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("everybody may get at it (mode {:04o}); `chmod 0600` it", mode & 0o7777),
        ));
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}
