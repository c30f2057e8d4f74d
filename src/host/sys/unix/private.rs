//! Files that nobody else may read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// No key is longer.
const LONGEST: u64 = 64 * 1024;

/// Reads a file, unless everybody may.
pub fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let file = crate::system::files::open_given(path)?;
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

/// Makes a folder anew, with these files in it, that nobody but `owner` may open: ourselves, if none is said.
pub fn make_private_folder(path: &Path, content: &[(String, Vec<u8>)], owner: Option<(u32, u32)>) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(path)?;
    let (uid, gid) = owner.unzip();
    for (name, bytes) in content {
        let mut file = File::options().write(true).create_new(true).mode(0o400).open(path.join(name))?;
        file.write_all(bytes)?;
        std::os::unix::fs::fchown(&file, uid, gid)?;
    }
    // Until now it was ours: nobody could put anything else in the place of a file.
    std::os::unix::fs::lchown(path, uid, gid)
}
