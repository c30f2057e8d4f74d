//! The way to a folder, one component after the other, without following links blindly.
//!
//! Where a component is a link the walk goes on at the link's target only if nobody but root and ourselves can have
//! put the link there: `/var/run` is fine, a link in a folder that some service's user may write is refused by name.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{getegid, geteuid};

use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;

/// Links followed on one way; the kernel's own bound.
pub(super) const MAX_LINKS: u32 = 40;

/// How a folder on the way is opened: to go through, which needs no permission to list it.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const THROUGH: OFlag = OFlag::O_PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const THROUGH: OFlag = OFlag::O_RDONLY;

fn folder_flags() -> OFlag {
    THROUGH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

/// On the way to a folder.
pub(super) struct Walk {
    /// From `/` to where we are. `..` goes back along it, so that it means what it says.
    folders: Vec<OwnedFd>,
    /// Where we are, for messages.
    here: PathBuf,
    /// What is still to come, last first.
    left: Vec<OsString>,
    /// Where `/` is, as a length of `folders`: in an image, the image.
    floor: usize,
    /// What comes in the image, once we are there.
    inside: Option<PathBuf>,
    links: u32,
}

/// The images that this process works in: their links mean what they will mean where the image is `/`.
static IMAGES: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// From now on no link below that folder leads out of it, nor does `..`.
pub(super) fn confine(image: &Path) {
    let mut images = IMAGES.write().unwrap_or_else(PoisonError::into_inner);
    if !images.iter().any(|known| known == image) {
        images.push(image.to_owned());
    }
}

/// The image that a path lies in, and the rest of it.
fn image_of(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let images = IMAGES.read().unwrap_or_else(PoisonError::into_inner);
    let image = images.iter().filter(|image| path.starts_with(image)).max_by_key(|image| image.as_os_str().len())?;
    Some((image.clone(), path.strip_prefix(image).ok()?.to_owned()))
}

impl Walk {
    pub(super) fn new(path: &Path) -> Result<Self> {
        if !path.is_absolute() {
            return Err(Error::failed(format!("`{}` is not an absolute path", path.display())));
        }
        let (begins, inside) = image_of(path).unzip();
        let mut walk = Self { folders: Vec::new(), here: PathBuf::new(), left: Vec::new(), floor: 1, inside, links: 0 };
        walk.then(begins.as_deref().unwrap_or(path)).doing("open `/`")?;
        Ok(walk)
    }

    /// Puts a path in front of what is left.
    fn then(&mut self, path: &Path) -> io::Result<()> {
        if path.is_absolute() && self.floor > 1 {
            while self.folders.len() > self.floor {
                self.folders.pop();
                self.here.pop();
            }
        } else if path.is_absolute() {
            let root = openat(nix::fcntl::AT_FDCWD, "/", folder_flags(), Mode::empty())?;
            self.folders = vec![root];
            self.here = "/".into();
        }
        self.left.extend(path.components().rev().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        }));
        Ok(())
    }

    /// Opens the folder at the end; None: it does not exist. With `make`, each missing folder is made with that
    /// mode, and told.
    pub(super) fn finish(mut self, mut make: Option<(Mode, &mut Vec<PathBuf>)>) -> Result<Option<OwnedFd>> {
        loop {
            let Some(name) = self.left.pop() else {
                let Some(inside) = self.inside.take() else { break };
                self.floor = self.folders.len();
                self.then(&inside).doing(format_args!("open `{}`", self.here.display()))?;
                continue;
            };
            if name == ".." {
                if self.folders.len() > self.floor {
                    self.folders.pop();
                    self.here.pop();
                }
                continue;
            }
            let path = self.here.join(&name);
            match openat(self.top(), name.as_os_str(), folder_flags(), Mode::empty()) {
                Ok(folder) => self.enter(folder, path),
                Err(Errno::ENOENT) => {
                    let Some((mode, created)) = &mut make else { return Ok(None) };
                    let folder = make_one(self.top(), &name, *mode)
                        .doing(format_args!("make the folder `{}`", path.display()))?;
                    created.push(path.clone());
                    self.enter(folder, path);
                }
                // What a link is answered with differs between systems and flags.
                Err(Errno::ENOTDIR | Errno::ELOOP | Errno::EMLINK) => self.at_link(&name, &path)?,
                Err(errno) => {
                    return Err(io::Error::from(errno)).doing(format_args!("open the folder `{}`", path.display()));
                }
            }
        }
        Ok(self.folders.pop())
    }

    fn top(&self) -> &OwnedFd {
        // Never empty: it begins with `/`, and `..` leaves that.
        &self.folders[self.folders.len() - 1]
    }

    fn enter(&mut self, folder: OwnedFd, path: PathBuf) {
        self.folders.push(folder);
        self.here = path;
    }

    /// A component is no folder: goes on at its target if it is a link that can be trusted.
    fn at_link(&mut self, name: &OsStr, path: &Path) -> Result<()> {
        let tried = format!("open the folder `{}`", path.display());
        let seen = fstatat(self.top(), name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(io::Error::from).doing(&tried)?;
        if kind(&seen) != SFlag::S_IFLNK {
            return Err(Error::failed(format!("`{}` is not a folder", path.display())));
        }
        let holder = fstat(self.top()).map_err(io::Error::from).doing(&tried)?;
        if !trusted(&holder, &seen) {
            return Err(Error::new(
                Exit::NotPermitted,
                format!("refused to go through the symbolic link `{}`", path.display()),
            )
            .detail(format!(
                "others than root and you may write in `{}`, so it could lead anywhere",
                self.here.display()
            ))
            .hint(format!(
                "name the folder that the link points to, or make `{}` writable for its owner only",
                self.here.display()
            )));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Error::failed(format!("too many symbolic links on the way to `{}`", path.display())));
        }
        let target = readlinkat(self.top(), name).map_err(io::Error::from).doing(&tried)?;
        self.then(Path::new(&target)).doing(tried)
    }
}

fn make_one(folder: impl AsFd, name: &OsStr, mode: Mode) -> io::Result<OwnedFd> {
    let readable = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match mkdirat(&folder, name, mode & Mode::S_IRWXU) {
        Ok(()) => {
            let folder = openat(&folder, name, readable, Mode::empty())?;
            // Not by `mkdirat`: that takes the umask off.
            fchmod(&folder, mode)?;
        }
        // Another process was faster: its folder is as good, a link in its place is not followed.
        Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(openat(folder, name, folder_flags(), Mode::empty())?)
}

/// Whether nobody but root and ourselves can have put this link into this folder.
pub(super) fn trusted(folder: &FileStat, link: &FileStat) -> bool {
    let mode = mode_of(folder);
    // Of a folder that a group may write in (`/var/log` is one where syslog has a group), what is a link of ours we made:
    // they can make links of their own, and no others.
    let kept = mode & 0o1000 != 0 || mode & 0o002 == 0;
    is_ours_alone(folder) || is_us(folder.st_uid) && kept && is_us(link.st_uid)
}

/// Whether nobody but root and ourselves can make, rename or remove anything in this folder.
pub(super) fn is_ours_alone(folder: &FileStat) -> bool {
    let mode = mode_of(folder);
    // A group of one's own, by the usual convention that such a group has its user's number.
    let private_group = folder.st_gid == getegid().as_raw() && folder.st_gid == geteuid().as_raw();
    is_us(folder.st_uid) && mode & 0o002 == 0 && (mode & 0o020 == 0 || private_group)
}

fn is_us(uid: nix::libc::uid_t) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

/// What sort of thing it is.
pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Permission bits as the system has them.
pub(super) fn permissions(mode: u32) -> Mode {
    // `mode_t` has 16 bits on some systems, and permission bits are 12.
    #[allow(clippy::cast_possible_truncation, reason = "masked")]
    Mode::from_bits_truncate((mode & 0o7777) as nix::libc::mode_t)
}

/// Its permission bits.
#[allow(clippy::useless_conversion, reason = "`mode_t` has 16 bits on some systems")]
pub(super) fn mode_of(stat: &FileStat) -> u32 {
    u32::from(stat.st_mode) & 0o7777
}
