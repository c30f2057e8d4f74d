//! Events of files: inotify.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags as Flag, InitFlags, Inotify as Instance, InotifyEvent};
use tokio::io::unix::AsyncFd;

use crate::host::sys::touch::{Touch, What};

/// An instance, which holds any number of watches.
#[derive(Debug)]
pub struct Watcher {
    instance: Instance,
    ready: AsyncFd<OwnedFd>,
}

impl Watcher {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        let instance = Instance::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let ready = super::watched::watched_fd(instance.as_fd().try_clone_to_owned()?)?;
        Ok(Self { instance, ready })
    }

    /// Watches a folder; one that is watched already gives the same number.
    pub fn add(&self, folder: &Path) -> io::Result<i32> {
        let mask = Flag::IN_CLOSE_WRITE
            | Flag::IN_CREATE
            | Flag::IN_DELETE
            | Flag::IN_MOVED_FROM
            | Flag::IN_MOVED_TO
            | Flag::IN_ATTRIB
            | Flag::IN_DELETE_SELF
            | Flag::IN_MOVE_SELF
            | Flag::IN_ONLYDIR;
        Ok(self.instance.add_watch(folder, mask)?.as_raw())
    }

    /// Watches no more; one that is over already is no error.
    pub fn remove(&self, watch: i32) {
        // SAFETY: inotify_rm_watch(2) takes numbers only.
        unsafe { libc::inotify_rm_watch(self.instance.as_fd().as_raw_fd(), watch) };
    }

    /// Waits for events.
    pub async fn next(&self) -> io::Result<Vec<Touch>> {
        loop {
            let mut guard = self.ready.readable().await?;
            match self.instance.read_events().map_err(io::Error::from) {
                Ok(events) => return Ok(events.into_iter().map(touch).collect()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn touch(event: InotifyEvent) -> Touch {
    let what = if event.mask.contains(Flag::IN_IGNORED) {
        What::Over
    } else if event.mask.contains(Flag::IN_CLOSE_WRITE) {
        What::Written
    } else if event.mask.contains(Flag::IN_CREATE) {
        What::Created
    } else {
        What::Other
    };
    let watch = (!event.mask.contains(Flag::IN_Q_OVERFLOW)).then(|| event.wd.as_raw());
    Touch { watch, name: event.name, what }
}

/// What a refusal to watch more means, where that is the reason.
#[must_use]
pub fn watch_limit(error: &io::Error) -> Option<&'static str> {
    (error.raw_os_error() == Some(libc::ENOSPC))
        .then_some("the user's limit of watches is reached (fs.inotify.max_user_watches)")
}
