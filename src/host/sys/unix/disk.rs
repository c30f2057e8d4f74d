//! Files that the host writes, in folders that a service's user may write too: never through a link of theirs, on the way
//! or at its end.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::system::files::{self, Place};

/// A folder that is always there and that nobody wants to unmount.
#[must_use]
pub fn neutral_folder() -> PathBuf {
    PathBuf::from("/")
}

/// Output as text; what is no UTF-8 is shown as such.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The machine's name.
#[must_use]
pub fn hostname() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether we may execute this file.
#[must_use]
pub fn may_execute(program: &Path) -> bool {
    nix::unistd::access(program, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// Makes a folder for log files, and those above it.
pub fn make_log_folder(folder: &Path) -> io::Result<()> {
    files::make_folders(folder, 0o750).map(drop).map_err(|error| io::Error::other(error.to_string()))
}

/// Opens a log for appending: a regular file that is ours or `owner`'s and nobody else's.
pub fn open_log(path: &Path, owner: Option<u32>) -> io::Result<File> {
    plain(Place::of(path)?.open(OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT, 0o640)?, owner)
}

/// Opens a log for reading, with the same care.
pub fn read_log(path: &Path, owner: Option<u32>) -> io::Result<File> {
    plain(Place::of(path)?.open(OFlag::O_RDONLY, 0)?, owner)
}

/// Opens what somebody captured for showing it: whoever's it is, as long as no link of theirs leads elsewhere.
pub fn show_log(path: &Path) -> io::Result<File> {
    let file = Place::of(path)?.open(OFlag::O_RDONLY, 0)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_regular_file()) }
}

fn no_regular_file() -> io::Error {
    io::Error::other("it is no regular file")
}

fn plain(file: File, owner: Option<u32>) -> io::Result<File> {
    let metadata = file.metadata()?;
    let ours = nix::unistd::geteuid().as_raw();
    if !metadata.is_file() {
        return Err(no_regular_file());
    }
    if metadata.nlink() > 1 {
        return Err(io::Error::other("it has a second name (a hard link), so it may be somebody else's file"));
    }
    if metadata.uid() != ours && Some(metadata.uid()) != owner && metadata.uid() != 0 {
        return Err(io::Error::other(format!("it belongs to user {}", metadata.uid())));
    }
    Ok(file)
}

/// Gives a log another name.
pub fn move_log(from: &Path, to: &Path) -> io::Result<()> {
    Place::of(from)?.move_to(&Place::of(to)?)
}

/// Makes a file beside a log.
pub fn create_log(path: &Path) -> io::Result<File> {
    Place::of(path)?.open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, 0o640)
}

/// Deletes a log.
pub fn remove_log(path: &Path) -> io::Result<()> {
    Place::of(path)?.remove()
}

/// Opens a file for reading and appending; makes it with that mode where it is missing.
pub fn open_journal(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = File::options();
    options.append(true).read(true).create(true).mode(mode).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options.open(path)
}

/// Whether this open file is the one at that path.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    let there = std::fs::symlink_metadata(path).ok();
    file.metadata().ok().zip(there).is_some_and(|(ours, there)| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

/// Whether this open file has no name any more.
#[must_use]
pub fn is_deleted(file: &File) -> bool {
    file.metadata().is_ok_and(|ours| ours.nlink() == 0)
}

/// What tells an open file from others of its file system.
pub fn file_number(file: &File) -> io::Result<u64> {
    file.metadata().map(|there| there.ino())
}

/// Which file this is: its device and its number there.
#[must_use]
pub fn number_of(_: &Path, data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// Whether there is a regular file with one name only.
#[must_use]
pub fn is_single_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_file() && data.nlink() == 1)
}
