//! Single files in folders that others may write in too: opened, moved and removed by the folder, never by the path.
//!
//! Between a look at a path and its use, whoever owns a folder on the way can put a link there. So the way is walked
//! (see `walk.rs`), and what has the name at its end is not followed.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::unix::Folder;
use super::walk::{MAX_LINKS, is_ours_alone, kind, permissions, trusted};
use crate::error::Error;
use crate::exit::Exit;

/// A name in an open folder whose way was checked.
#[derive(Debug)]
pub struct Place {
    folder: Folder,
    name: OsString,
}

impl Place {
    /// `NotFound`: there is no such folder.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (folder, name) = super::split(path).map_err(as_io)?;
        let folder = Folder::open(folder).map_err(as_io)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { folder, name: name.to_owned() })
    }

    /// Opens what has the name, unless that is a link; with `O_CREAT`, makes it with that mode, less the umask. Nobody is
    /// waited for, though it be a pipe.
    pub fn open(&self, flags: OFlag, mode: u32) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        Ok(openat(self.folder.fd(), self.name.as_os_str(), flags, permissions(mode))?.into())
    }

    /// What has the name; a link is not followed.
    pub fn look(&self) -> io::Result<FileStat> {
        Ok(fstatat(self.folder.fd(), self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    /// Gives it another name.
    pub fn move_to(&self, to: &Self) -> io::Result<()> {
        Ok(renameat(self.folder.fd(), self.name.as_os_str(), to.folder.fd(), to.name.as_os_str())?)
    }

    /// Takes the name away.
    pub fn remove(&self) -> io::Result<()> {
        Ok(unlinkat(self.folder.fd(), self.name.as_os_str(), UnlinkatFlags::NoRemoveDir)?)
    }

    /// Where a link leads; an error if somebody else can have put it there.
    fn target(&self, shown: &Path) -> io::Result<PathBuf> {
        let holder = fstat(self.folder.fd())?;
        if !trusted(&holder, &self.look()?) {
            let text =
                format!("`{}` is a symbolic link that others than root and you can have put there", shown.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(readlinkat(self.folder.fd(), self.name.as_os_str())?.into())
    }
}

/// Opens a file for reading that a manifest names, on behalf of somebody with fewer rights than ours.
///
/// As root, no link is followed that this somebody can have made, and nothing is read that they can have got there by a
/// second name; as anybody else, what we may read is ours to read.
pub fn open_given(path: &Path) -> io::Result<File> {
    if !nix::unistd::geteuid().is_root() {
        let mut options = File::options();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true), libc::O_NONBLOCK | libc::O_CLOEXEC);
        return options.open(path);
    }
    let mut at = super::super::absolute(path).map_err(as_io)?;
    for _ in 0..MAX_LINKS {
        let place = Place::of(&at)?;
        match place.open(OFlag::O_RDONLY, 0) {
            Ok(file) => return checked(file, &place, path),
            // What a link is answered with differs between systems.
            Err(error) if matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::ELOOP | Errno::EMLINK)) => {
                let target = place.target(&at)?;
                at.pop();
                at.push(target);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::ELOOP.into())
}

fn checked(file: File, place: &Place, shown: &Path) -> io::Result<File> {
    let seen = fstat(&file)?;
    let plain = kind(&seen) == SFlag::S_IFREG && seen.st_nlink <= 1;
    if plain || is_ours_alone(&fstat(place.folder.fd())?) {
        return Ok(file);
    }
    let what = if kind(&seen) == SFlag::S_IFREG { "has a second name (a hard link)" } else { "is no regular file" };
    let text = format!("`{}` {what} in a folder that others than root may write in", shown.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the error of a result, as it comes")]
fn as_io(error: Error) -> io::Error {
    let kind = if error.exit() == Exit::NotPermitted { io::ErrorKind::PermissionDenied } else { io::ErrorKind::Other };
    io::Error::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use nix::sys::stat::Mode;

    use super::*;

    const STRANGER: u32 = 65_534;

    fn read(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        io::Read::read_to_string(&mut open_given(path)?, &mut text).map(|_| text)
    }

    #[test]
    fn what_a_stranger_puts_into_the_way_is_not_read_for_them() {
        if !crate::system::machine::is_root() {
            eprintln!("skipped: giving folders away needs root");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let (secret, theirs) = (folder.path().join("secret"), folder.path().join("theirs"));
        std::fs::write(&secret, "s").unwrap();
        std::fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(STRANGER), None).unwrap();
        std::fs::write(theirs.join("plain"), "p").unwrap();
        assert_eq!(read(&theirs.join("plain")).unwrap(), "p");

        symlink(&secret, theirs.join("link")).unwrap();
        symlink(folder.path(), theirs.join("up")).unwrap();
        std::fs::hard_link(&secret, theirs.join("hard")).unwrap();
        nix::unistd::mkfifo(&theirs.join("pipe"), Mode::S_IRWXU).unwrap();
        for name in ["link", "up/secret", "hard", "pipe"] {
            let error = read(&theirs.join(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{name}: {error}");
        }

        // What only root can have made is followed, by a relative link too.
        symlink("theirs/plain", folder.path().join("ours")).unwrap();
        assert_eq!(read(&folder.path().join("ours")).unwrap(), "p");
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
