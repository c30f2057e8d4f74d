//! The pipe between a service and whoever captures its output. It has a name, so that the next supervisor finds it, and
//! the service's end is open for reading too, so that a supervisor's death is no SIGPIPE: the kernel keeps what was
//! written until somebody reads it, and makes the service wait when it is full.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::sys::stat::Mode;
use tokio::io::unix::AsyncFd;

use crate::error::{IoContext, Result};

/// Makes sure of a FIFO there that only we, and `owner` if given, can open.
fn fifo(path: &Path, owner: Option<(u32, u32)>) -> Result<()> {
    let ours = nix::unistd::geteuid().as_raw();
    match std::fs::symlink_metadata(path) {
        Ok(found)
            if found.file_type().is_fifo() && (found.uid() == ours || Some(found.uid()) == owner.map(|o| o.0)) => {}
        Ok(_) => {
            std::fs::remove_file(path).doing(format_args!("remove `{}`", path.display()))?;
            make(path)?;
        }
        Err(_) => make(path)?,
    }
    if let Some((uid, gid)) = owner {
        // So that the service can open /dev/stdout again; the folder keeps everybody else out.
        std::os::unix::fs::lchown(path, Some(uid), Some(gid)).doing(format_args!("hand over `{}`", path.display()))?;
    }
    Ok(())
}

fn make(path: &Path) -> Result<()> {
    nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)
        .map_err(std::io::Error::from)
        .doing(format_args!("make the pipe `{}`", path.display()))
}

fn open(path: &Path, flags: i32) -> Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(flags | libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .doing(format_args!("open the pipe `{}`", path.display()))?;
    Ok(file)
}

/// Our end. Open for writing too, so that it never reports an end while services come and go.
fn open_for_reading(path: &Path) -> Result<File> {
    open(path, libc::O_NONBLOCK)
}

nix::ioctl_read_bad! {
    /// Bytes that can be read at once: `pipe(7)`.
    fionread, libc::FIONREAD, libc::c_int
}

/// Our end of a service's pipe.
#[derive(Debug)]
pub struct PipeEnd(Rc<File>);

impl PipeEnd {
    /// Whether a read of so much into so much room leaves it open that there is more.
    #[must_use]
    pub const fn fills(count: usize, room: usize) -> bool {
        count >= room
    }

    /// How many bytes can be read at once.
    pub fn waiting(&self) -> io::Result<usize> {
        let mut count = 0;
        // SAFETY: the descriptor is open, and the kernel writes one `int` to where the pointer points.
        unsafe { fionread(self.0.as_raw_fd(), &raw mut count)? };
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Reads, without waiting. No more than is `waiting` comes as a whole or not at all, even if we are killed.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }

    /// Makes it hold so much, where the system lets us.
    pub fn resize(&self, bytes: usize) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            let bytes = i32::try_from(bytes).map_err(io::Error::other)?;
            nix::fcntl::fcntl(&*self.0, nix::fcntl::FcntlArg::F_SETPIPE_SZ(bytes))?;
            Ok(())
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = bytes;
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Has the event loop listen to it until that is dropped: one that writes much is quicker unheard.
    pub fn listen(&self) -> io::Result<Listening> {
        super::watched::watched_file(Rc::clone(&self.0)).map(Listening)
    }
}

/// The event loop listens to a pipe.
#[derive(Debug)]
pub struct Listening(AsyncFd<Rc<File>>);

impl Listening {
    /// Returns when there is something to be read, at first, and then when more has come. All of it is to be read then.
    pub async fn until_more(&mut self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

/// Where the service's end is had.
#[derive(Debug, Clone)]
pub struct ChildEnd(PathBuf);

impl ChildEnd {
    /// The service's end, once more.
    pub fn open(&self) -> Result<File> {
        open(&self.0, 0)
    }

    /// An end for reading alone, for who only keeps what is in it.
    pub(super) fn open_for_keeping(&self) -> io::Result<File> {
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        File::options().read(true).custom_flags(flags).open(&self.0)
    }

    /// Takes its name away.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The pipe of that name, made if need be, for ourselves and `owner`: both its ends.
pub fn log_pipe(path: &Path, owner: Option<(u32, u32)>) -> Result<(PipeEnd, ChildEnd)> {
    fifo(path, owner)?;
    Ok((PipeEnd(Rc::new(open_for_reading(path)?)), ChildEnd(path.to_owned())))
}

/// The end of a pipe that has this in it, and then ends.
pub fn holding(input: &[u8]) -> io::Result<File> {
    use std::io::Write;
    let (read, mut write) = std::io::pipe()?;
    write.write_all(input)?;
    Ok(std::os::fd::OwnedFd::from(read).into())
}
