//! The pipe between a service and whoever captures its output. It has a name, so that the next supervisor finds it, and
//! the service's end is open for reading too, so that a supervisor's death is no SIGPIPE: the kernel keeps what was
//! written until somebody reads it, and makes the service wait when it is full.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

/// Our end of a service's pipe, in the event loop.
pub type PipeEnd = AsyncFd<File>;

/// Where the service's end is had.
#[derive(Debug, Clone)]
pub struct ChildEnd(PathBuf);

impl ChildEnd {
    /// The service's end, once more.
    pub fn open(&self) -> Result<File> {
        open(&self.0, 0)
    }

    /// Takes its name away.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The pipe of that name, made if need be, for ourselves and `owner`: both its ends.
pub fn log_pipe(path: &Path, owner: Option<(u32, u32)>) -> Result<(PipeEnd, ChildEnd)> {
    fifo(path, owner)?;
    let end = super::watched::watched_file(open_for_reading(path)?).doing("read from a pipe")?;
    Ok((end, ChildEnd(path.to_owned())))
}

/// The end of a pipe that has this in it, and then ends.
pub fn holding(input: &[u8]) -> io::Result<File> {
    use std::io::Write;
    let (read, mut write) = std::io::pipe()?;
    write.write_all(input)?;
    Ok(std::os::fd::OwnedFd::from(read).into())
}
