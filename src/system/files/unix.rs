//! Files by `*at()` calls relative to a checked folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, geteuid, symlinkat, unlinkat};

use super::walk::{Walk, kind, mode_of, permissions};
use super::{Found, MAX_FILE, temporary_name};
use crate::error::{Error, IoContext, Result};

/// An open folder whose way was checked.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// Opens a folder; None: it does not exist.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        Ok(Walk::new(path)?.finish(None)?.map(Self))
    }

    /// Makes what is missing of a folder, and gives those it made, outermost first.
    pub(super) fn make(path: &Path, mode: u32) -> Result<Vec<PathBuf>> {
        let mut created = Vec::new();
        Walk::new(path)?.finish(Some((permissions(mode), &mut created)))?;
        Ok(created)
    }

    /// Makes the folder at the end alone, and gives it away while nobody else can get into it; false: it was there.
    pub(super) fn make_of(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<bool> {
        let (above, name) = super::split(path)?;
        let missing = || Error::failed(format!("the folder `{}` does not exist", above.display()));
        let above = Self::open(above)?.ok_or_else(missing)?;
        let done = above.make_and_give(name, mode, owner);
        if !done.doing(format_args!("make the folder `{}`", path.display()))? {
            // Something else in its place is told.
            return Self::open(path).map(|_| false);
        }
        Ok(true)
    }

    fn make_and_give(&self, name: &OsStr, mode: u32, owner: Option<(u32, u32)>) -> io::Result<bool> {
        match mkdirat(&self.0, name, Mode::S_IRWXU) {
            Err(Errno::EEXIST) => return Ok(false),
            done => done?,
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = openat(&self.0, name, flags, Mode::empty())?;
        // Whoever owns the folder above may have put another there since.
        if fstat(&folder)?.st_uid != geteuid().as_raw() {
            return Err(io::Error::other("somebody else put a folder of theirs there"));
        }
        if let Some((uid, gid)) = owner {
            fchown(&folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        fchmod(&folder, permissions(mode))?;
        self.sync()?;
        Ok(true)
    }

    /// Its descriptor.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// What has this name.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<Found> {
        match self.look_only(name)? {
            None => Ok(Found::Absent),
            Some(SFlag::S_IFLNK) => Ok(Found::Link { target: readlinkat(&self.0, name)?.into() }),
            Some(SFlag::S_IFDIR) => Ok(Found::Folder),
            Some(SFlag::S_IFREG) => self.read(name),
            Some(_) => Ok(Found::Other),
        }
    }

    fn read(&self, name: &OsStr) -> io::Result<Found> {
        // Not blocking, should a pipe have taken the file's place since it was looked at.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = fs::File::from(openat(&self.0, name, flags, Mode::empty())?);
        let seen = fstat(&file)?;
        if kind(&seen) != SFlag::S_IFREG {
            return Ok(Found::Other);
        }
        // Room for its end too, which is one more read of nothing.
        let mut content =
            Vec::with_capacity(usize::try_from(seen.st_size).map_or(0, |size| size.saturating_add(1)).min(1 << 20));
        file.take(MAX_FILE + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
        }
        Ok(Found::File { content, mode: mode_of(&seen), uid: seen.st_uid, gid: seen.st_gid })
    }

    /// The names in it.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut dir = Dir::from_fd(self.readable()?)?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Puts a file under this name. It is there when this returns, and not yet synced.
    pub(super) fn put(
        &self,
        name: &OsStr,
        content: &[u8],
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> io::Result<Written> {
        let (temporary, mut file) = self.create()?;
        let filled = (|| {
            file.write_all(content)?;
            if let Some((uid, gid)) = owner {
                fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            }
            fchmod(&file, permissions(mode))?;
            renameat(&self.0, temporary.as_str(), &self.0, name)?;
            Ok(())
        })();
        self.unless_put(&temporary, filled)?;
        Ok(Written(file))
    }

    /// Puts a link under this name.
    pub(super) fn put_link(&self, name: &OsStr, target: &Path) -> io::Result<()> {
        let temporary = until_new(|temporary| symlinkat(target, &self.0, temporary))?.0;
        let renamed = renameat(&self.0, temporary.as_str(), &self.0, name).map_err(io::Error::from);
        self.unless_put(&temporary, renamed)
    }

    fn unless_put(&self, temporary: &str, put: io::Result<()>) -> io::Result<()> {
        if put.is_err() {
            // The first error is the one to tell; what can't be removed now, `sweep` finds.
            let _ = unlinkat(&self.0, temporary, UnlinkatFlags::NoRemoveDir);
        }
        put
    }

    /// A new file that nobody else can read, under a temporary name.
    pub(super) fn create(&self) -> io::Result<(String, fs::File)> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let (name, fd) = until_new(|name| openat(&self.0, name, flags, Mode::S_IRUSR | Mode::S_IWUSR))?;
        Ok((name, fd.into()))
    }

    /// A file to lock, made where it is missing.
    pub(super) fn open_lock(&self, name: &OsStr) -> io::Result<fs::File> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Removes a file or link; false: nothing there.
    pub(super) fn remove(&self, name: &OsStr) -> io::Result<bool> {
        existed(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))
    }

    /// Removes an empty folder; false: not there, or not empty.
    pub(super) fn remove_folder(&self, name: &OsStr) -> io::Result<bool> {
        match unlinkat(&self.0, name, UnlinkatFlags::RemoveDir) {
            // POSIX leaves the choice of the two to the system.
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(false),
            removed => existed(removed),
        }
    }

    /// Removes what has this name and all below it; false: nothing there.
    pub(super) fn remove_tree(&self, name: &OsStr) -> io::Result<bool> {
        if !matches!(self.look_only(name)?, Some(SFlag::S_IFDIR)) {
            return self.remove(name);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let below = Self(openat(&self.0, name, flags, Mode::empty())?);
        for name in below.names()? {
            below.remove_tree(&name)?;
        }
        existed(unlinkat(&self.0, name, UnlinkatFlags::RemoveDir))
    }

    fn look_only(&self, name: &OsStr) -> io::Result<Option<SFlag>> {
        match fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            seen => Ok(Some(kind(&seen?))),
        }
    }

    /// Makes what happened in it outlast a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        match self.readable() {
            Ok(fd) => Ok(fsync(fd)?),
            // A folder that we may write but not list can't be opened for this; the kernel syncs it in time.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn readable(&self) -> io::Result<OwnedFd> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, ".", flags, Mode::empty())?)
    }
}

/// A file that was put and is not yet synced.
#[derive(Debug)]
pub(super) struct Written(fs::File);

impl Written {
    /// Has the disk begin.
    #[cfg_attr(not(target_os = "linux"), expect(clippy::unused_self, reason = "there is no such call"))]
    pub(super) fn start_sync(&self) {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            // SAFETY: no memory is handed over, and the descriptor is open as long as `self`. What it answers does
            // not matter: it is a start, and `sync` waits for the whole and tells of errors.
            unsafe { libc::sync_file_range(self.0.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
        }
    }

    /// Waits until its content outlasts a power cut.
    pub(super) fn sync(self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// A file that only grows: a journal.
#[derive(Debug)]
pub struct Log(fs::File);

impl Log {
    /// Opens it at its end; makes it, readable by nobody else, where it is missing.
    pub fn open(path: &Path) -> Result<Self> {
        let (folder, name) = super::split(path)?;
        let missing = || Error::failed(format!("the folder `{}` does not exist", folder.display()));
        let folder = Folder::open(folder)?.ok_or_else(missing)?;
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(&folder.0, name, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(io::Error::from);
        let opened = opened.and_then(|fd| folder.sync().map(|()| fd));
        let fd =
            opened.doing(format_args!("open `{}`", path.display())).map_err(|error| super::with_remedy(error, path))?;
        Ok(Self(fd.into()))
    }

    /// Adds bytes. A crash of the program does not lose them; a power cut may.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).doing("write the journal")
    }
}

/// Tries temporary names until one is new.
fn until_new<T>(mut create: impl FnMut(&str) -> nix::Result<T>) -> io::Result<(String, T)> {
    let mut tries = 0;
    loop {
        let name = temporary_name();
        match create(&name) {
            Err(Errno::EEXIST) if tries < 100 => tries += 1,
            created => return Ok((name, created?)),
        }
    }
}

fn existed(removed: nix::Result<()>) -> io::Result<bool> {
    match removed {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
