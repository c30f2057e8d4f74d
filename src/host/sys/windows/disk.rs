//! Files that the host writes: shared for reading, writing and deleting, and never through a link.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_OPEN_REPARSE_POINT, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_STANDARD_INFO, FileStandardInfo, GetFileInformationByHandle,
    GetFileInformationByHandleEx,
};

use super::handle::{check, size_of_it};

/// Whoever reads or renames a log meanwhile is welcome to.
const SHARED: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// A longer key is none.
const LONGEST: u64 = 64 * 1024;

/// A folder that is always there and that nobody wants to remove.
#[must_use]
pub fn neutral_folder() -> PathBuf {
    let mut drive = std::env::var_os("SystemDrive").unwrap_or_else(|| "C:".into());
    drive.push("\\");
    drive.into()
}

/// The machine's name.
#[must_use]
pub fn hostname() -> String {
    sysinfo::System::host_name().unwrap_or_default()
}

/// Whether we may execute this file.
#[must_use]
pub fn may_execute(program: &Path) -> bool {
    program.is_file()
}

/// Makes a folder for log files, and those above it.
pub fn make_log_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)
}

fn shared() -> OpenOptions {
    let mut options = File::options();
    options.share_mode(SHARED).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    options
}

fn plain(file: File) -> io::Result<File> {
    let metadata = file.metadata()?;
    if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(io::Error::other("it is a link"));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if told(&file)?.nNumberOfLinks > 1 {
        return Err(io::Error::other("it has a second name (a hard link), so it may be somebody else's file"));
    }
    Ok(file)
}

/// Opens a log for appending: a regular file with one name.
pub fn open_log(path: &Path, _: Option<u32>) -> io::Result<File> {
    shared().append(true).create(true).open(path).and_then(plain)
}

/// Opens a log for reading, with the same care.
pub fn read_log(path: &Path, _: Option<u32>) -> io::Result<File> {
    shared().read(true).open(path).and_then(plain)
}

/// Opens what somebody captured for showing it.
pub fn show_log(path: &Path) -> io::Result<File> {
    shared().read(true).open(path).and_then(plain)
}

/// Deletes a log.
pub fn remove_log(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

/// Makes a file beside a log.
pub fn create_log(path: &Path) -> io::Result<File> {
    shared().create_new(true).write(true).open(path)
}

/// Opens a file for reading and appending; makes it where it is missing.
pub fn open_journal(path: &Path, _: u32) -> io::Result<File> {
    shared().append(true).read(true).create(true).open(path).and_then(plain)
}

/// Gives a log another name. A reader that does not share deletion is in the way of that: then its content is moved.
pub fn move_log(from: &Path, to: &Path) -> io::Result<()> {
    let renamed = std::fs::rename(from, to);
    let held = |error: &io::Error| {
        let code = error.raw_os_error().and_then(|code| u32::try_from(code).ok());
        matches!(code, Some(ERROR_SHARING_VIOLATION | ERROR_ACCESS_DENIED))
    };
    match renamed {
        Err(error) if held(&error) => {
            let mut old = shared().read(true).open(from)?;
            let mut new = shared().write(true).create_new(true).open(to)?;
            let moved = io::copy(&mut old, &mut new)
                .and_then(|_| new.sync_all())
                .and_then(|()| shared().write(true).open(from)?.set_len(0));
            if moved.is_err() {
                drop(new);
                let _ = std::fs::remove_file(to);
            }
            moved
        }
        renamed => renamed,
    }
}

fn told(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut told = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the structure is one to be written to.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut told) })?;
    Ok(told)
}

fn number(told: &BY_HANDLE_FILE_INFORMATION) -> u64 {
    u64::from(told.nFileIndexHigh) << 32 | u64::from(told.nFileIndexLow)
}

fn look(path: &Path) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    // No access is needed to be told what a file is.
    told(&shared().access_mode(0).open(path)?)
}

/// Reads a file that only we should know. Its folder's access list keeps others out.
pub fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    shared().read(true).open(path)?.take(LONGEST).read_to_end(&mut text)?;
    Ok(text)
}

/// The backends refuse what would need it.
pub fn make_private_folder(_: &Path, _: &[(String, Vec<u8>)], _: Option<(u32, u32)>) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are no credentials on Windows"))
}

/// Whether this open file is the one at that path.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    let of = |told: BY_HANDLE_FILE_INFORMATION| (told.dwVolumeSerialNumber, number(&told));
    told(file).ok().zip(look(path).ok()).is_some_and(|(ours, there)| of(ours) == of(there))
}

/// Whether this open file has no name any more.
#[must_use]
pub fn is_deleted(file: &File) -> bool {
    let mut told = FILE_STANDARD_INFO::default();
    let length = size_of_it::<FILE_STANDARD_INFO>();
    // SAFETY: the handle is open; the buffer is of the class that is asked for, and of that length.
    let done =
        unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), FileStandardInfo, (&raw mut told).cast(), length) };
    done != 0 && (told.DeletePending || told.NumberOfLinks == 0)
}

/// What tells an open file from others of its volume.
pub fn file_number(file: &File) -> io::Result<u64> {
    told(file).map(|told| number(&told))
}

/// Which file this is: its volume and its number there.
#[must_use]
pub fn number_of(path: &Path, data: &Metadata) -> (u64, u64) {
    if data.is_dir() {
        // A folder is told by its path and the time of its making: opening it could hold up who removes it.
        return (0, data.creation_time());
    }
    look(path).map_or((0, 0), |told| (told.dwVolumeSerialNumber.into(), number(&told)))
}

/// No event tells here that a file was closed, so a new one is looked at like any other.
#[must_use]
pub const fn is_single_file(_: &Path) -> bool {
    false
}
