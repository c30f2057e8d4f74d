//! Files where there are no `*at()` calls: by path, with every folder on the way looked at first.
//!
//! Of permission bits only one thing has a meaning here: what only its owner may read (0600, 0700) gets an access list of
//! its own for administrators, the system and who makes it, and everything else inherits the list of its folder. A look
//! tells 0600 of what not everybody can read, and 0644 of the rest.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{Found, MAX_FILE, temporary_name};
use crate::error::{Error, IoContext, Result};
#[cfg(windows)]
use crate::system::access::files as lists;

/// A folder whose way was looked at.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Opens a folder; None: it does not exist.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        // The whole way is looked at for every file, and nearly always it is folders.
        for on_the_way in path.ancestors().filter(|path| !sys::is_plain_folder(path)) {
            match fs::symlink_metadata(on_the_way) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error).doing(format_args!("open the folder `{}`", on_the_way.display())),
                Ok(seen) if seen.is_symlink() => {
                    return Err(Error::not_permitted(format!(
                        "refused to go through the symbolic link `{}`",
                        on_the_way.display()
                    ))
                    .hint("name the folder that the link points to"));
                }
                Ok(seen) if !seen.is_dir() => {
                    return Err(Error::failed(format!("`{}` is not a folder", on_the_way.display())));
                }
                Ok(_) => {}
            }
        }
        Ok(Some(Self(path.to_owned())))
    }

    /// Makes what is missing of a folder, and gives those it made, outermost first.
    pub(super) fn make(path: &Path, mode: u32) -> Result<Vec<PathBuf>> {
        let mut missing: Vec<_> = path.ancestors().take_while(|path| fs::symlink_metadata(path).is_err()).collect();
        missing.reverse();
        for path in &missing {
            let done = if is_private(mode) { sys::make_private(path) } else { fs::create_dir(path) };
            done.doing(format_args!("make the folder `{}`", path.display()))?;
        }
        Ok(missing.into_iter().map(Path::to_owned).collect())
    }

    /// Makes the folder at the end; false: it was there. Whose it is, its folder's access list says.
    pub(super) fn make_of(path: &Path, mode: u32, _: Option<(u32, u32)>) -> Result<bool> {
        Ok(!Self::make(path, mode)?.is_empty())
    }

    /// What has this name.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<Found> {
        let path = self.0.join(name);
        let seen = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
            seen => seen?,
        };
        if seen.is_symlink() {
            return Ok(Found::Link { target: fs::read_link(path)? });
        }
        if seen.is_dir() {
            return Ok(Found::Folder);
        }
        if seen.len() > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
        }
        let mut content = Vec::new();
        fs::File::open(&path)?.take(MAX_FILE).read_to_end(&mut content)?;
        Ok(Found::File { content, mode: sys::mode(&path)?, uid: 0, gid: 0 })
    }

    /// The names in it.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Puts a file under this name.
    pub(super) fn put(&self, name: &OsStr, content: &[u8], mode: u32, _: Option<(u32, u32)>) -> io::Result<Written> {
        let temporary = self.0.join(temporary_name());
        let put = (|| {
            let mut file = if is_private(mode) {
                sys::create_private(&temporary)?
            } else {
                OpenOptions::new().write(true).create_new(true).open(&temporary)?
            };
            file.write_all(content)?;
            file.sync_all()?;
            // Closed before the rename: what is open can't be renamed everywhere.
            drop(file);
            sys::rename(&temporary, &self.0.join(name))
        })();
        if put.is_err() {
            // The first error is the one to tell; what can't be removed now, `sweep` finds.
            let _ = fs::remove_file(&temporary);
        }
        put.map(|()| Written)
    }

    /// Puts a link under this name.
    #[expect(clippy::unused_self, reason = "the same signature on each system")]
    pub(super) fn put_link(&self, _: &OsStr, _: &Path) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "no service manager of this system uses symbolic links"))
    }

    /// A file to lock, made where it is missing.
    pub(super) fn open_lock(&self, name: &OsStr) -> io::Result<fs::File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.0.join(name))
    }

    /// Removes a file or link; false: nothing there.
    pub(super) fn remove(&self, name: &OsStr) -> io::Result<bool> {
        existed(fs::remove_file(self.0.join(name)))
    }

    /// Removes an empty folder; false: not there, or not empty.
    pub(super) fn remove_folder(&self, name: &OsStr) -> io::Result<bool> {
        match fs::remove_dir(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            removed => existed(removed),
        }
    }

    /// Removes what has this name and all below it; false: nothing there.
    pub(super) fn remove_tree(&self, name: &OsStr) -> io::Result<bool> {
        let path = self.0.join(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(seen) if seen.is_dir() => existed(fs::remove_dir_all(path)),
            Ok(_) => existed(fs::remove_file(path)),
        }
    }

    /// Nothing to do: renames are logged by the file system.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same signature on each system")]
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that was put, and synced before it was renamed.
#[derive(Debug)]
pub(super) struct Written;

impl Written {
    /// Has the disk begin.
    #[expect(clippy::unused_self, reason = "the same signature on each system")]
    pub(super) fn start_sync(&self) {}

    /// Waits until its content outlasts a power cut.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same signature on each system")]
    pub(super) fn sync(self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that only grows: a journal.
#[derive(Debug)]
pub struct Log(fs::File);

impl Log {
    /// Opens it at its end; makes it where it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let (folder, _) = super::split(path)?;
        let missing = || Error::failed(format!("the folder `{}` does not exist", folder.display()));
        Folder::open(folder)?.ok_or_else(missing)?;
        let opened = OpenOptions::new().append(true).create(true).open(path);
        Ok(Self(opened.doing(format_args!("open `{}`", path.display()))?))
    }

    /// Adds bytes. A crash of the program does not lose them; a power cut may.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).doing("write the journal")
    }
}

/// Whether bits say that only the owner may do anything.
const fn is_private(mode: u32) -> bool {
    mode.is_multiple_of(0o100)
}

#[cfg(windows)]
mod sys {
    use std::os::windows::ffi::OsStrExt as _;
    use std::{fs, io, path::Path};

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT, GetFileAttributesW,
    };

    use super::lists;

    /// Whether it is a folder and neither a link nor anything of that sort, by one call that opens nothing. False: a closer
    /// look tells what it is.
    pub(super) fn is_plain_folder(path: &Path) -> bool {
        let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: the name ends with a zero.
        let attributes = unsafe { GetFileAttributesW(name.as_ptr()) };
        // A failure has all bits.
        attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT) == FILE_ATTRIBUTE_DIRECTORY
    }

    /// What the bits would be that say who can read it.
    pub(super) fn mode(path: &Path) -> io::Result<u32> {
        Ok(if lists::is_readable_by_all(path)? { 0o644 } else { 0o600 })
    }

    pub(super) fn create_private(path: &Path) -> io::Result<fs::File> {
        lists::create_private(path)
    }

    pub(super) fn make_private(path: &Path) -> io::Result<()> {
        lists::make_guarded_folder(path, false)
    }

    /// Renames over what is there. A program that runs cannot be replaced, but renamed: it is put aside, to be removed when it
    /// has ended. Programs that look into every new file have it open for a moment, so all that is tried again for some
    /// seconds.
    pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
        const ACCESS_DENIED: i32 = 5;
        const SHARING_VIOLATION: i32 = 32;
        let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
        loop {
            match fs::rename(from, to) {
                Err(error)
                    if matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION))
                        && to.is_file()
                        && std::time::Instant::now() < end =>
                {
                    if put_aside(from, to).is_ok() {
                        return Ok(());
                    }
                    crate::system::pause(std::time::Duration::from_millis(50));
                }
                renamed => return renamed,
            }
        }
    }

    /// Names what is there like a temporary, which `sweep` removes once it can be, and takes its place.
    fn put_aside(from: &Path, to: &Path) -> io::Result<()> {
        let aside = to.with_file_name(super::temporary_name());
        fs::rename(to, &aside)?;
        fs::rename(from, to).inspect_err(|_| {
            // Back to what was; the error that is told is the first.
            let _ = fs::rename(&aside, to);
        })?;
        // It may still run.
        let _ = fs::remove_file(&aside);
        Ok(())
    }
}

#[cfg(not(windows))]
mod sys {
    use std::{fs, io, path::Path};

    pub(super) const fn is_plain_folder(_: &Path) -> bool {
        false
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same signature on each system")]
    pub(super) fn mode(_: &Path) -> io::Result<u32> {
        Ok(0o644)
    }

    pub(super) fn create_private(path: &Path) -> io::Result<fs::File> {
        fs::OpenOptions::new().write(true).create_new(true).open(path)
    }

    pub(super) fn make_private(path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}

fn existed(removed: io::Result<()>) -> io::Result<bool> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a file for reading that a manifest names.
pub fn open_given(path: &Path) -> io::Result<fs::File> {
    fs::File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_of_folders_and_of_nothing_else() {
        let temporary = tempfile::tempdir().expect("a folder");
        let below = |name: &str| temporary.path().join(name);
        fs::create_dir(below("folder")).expect("a folder");
        fs::write(below("file"), "").expect("a file");
        assert!(Folder::open(&below("folder")).expect("looked at").is_some());
        assert!(Folder::open(&below("missing/folder")).expect("looked at").is_none());
        let error = Folder::open(&below("file")).expect_err("it is a file");
        assert!(error.to_string().contains("is not a folder"), "{error}");
    }

    /// Who may not make links cannot test this.
    #[cfg(windows)]
    #[test]
    fn no_link_is_gone_through() {
        let temporary = tempfile::tempdir().expect("a folder");
        let below = |name: &str| temporary.path().join(name);
        fs::create_dir_all(below("folder/further")).expect("folders");
        if std::os::windows::fs::symlink_dir(below("folder"), below("link")).is_ok() && below("link").is_symlink() {
            for way in ["link", "link/further"] {
                let error = Folder::open(&below(way)).expect_err("it is a link");
                assert!(error.to_string().contains("symbolic link"), "{error}");
            }
        }
    }
}
