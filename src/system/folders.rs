//! Waiting until something happens in folders: for commands that follow files.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::interrupt;
use crate::error::Result;
#[cfg(target_os = "linux")]
use crate::error::{Error, IoContext};

/// What happens in some folders.
#[derive(Debug)]
pub struct Changes {
    #[cfg(target_os = "linux")]
    inotify: nix::sys::inotify::Inotify,
}

#[cfg(target_os = "linux")]
impl Changes {
    /// Watches them; those that are missing are made, so that the first file in them is seen.
    pub fn of(folders: &[PathBuf]) -> Result<Self> {
        use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
        let doing = "watch for changes";
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).map_err(std::io::Error::from).doing(doing)?;
        let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        for folder in folders {
            std::fs::create_dir_all(folder).doing(format_args!("make `{}`", folder.display()))?;
            inotify.add_watch(folder, flags).map_err(std::io::Error::from).doing(doing)?;
        }
        Ok(Self { inotify })
    }

    /// Waits for the next; `Break`: somebody interrupted us.
    pub fn wait(&mut self) -> Result<ControlFlow<()>> {
        match self.inotify.read_events() {
            Ok(_) => Ok(ControlFlow::Continue(())),
            Err(nix::errno::Errno::EINTR) => Ok(interrupted()),
            Err(errno) => Err(Error::io("watch for changes", &errno.into())),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Changes {
    /// Nothing to open here.
    pub fn of(_: &[PathBuf]) -> Result<Self> {
        Ok(Self {})
    }

    /// Without inotify the files are looked at four times a second.
    pub fn wait(&mut self) -> Result<ControlFlow<()>> {
        std::thread::sleep(std::time::Duration::from_millis(250));
        Ok(interrupted())
    }
}

fn interrupted() -> ControlFlow<()> {
    if interrupt::seen() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
