//! Events of files where there is no inotify: `EVFILT_VNODE` of kqueue(2), on macOS and the BSDs.
//!
//! It follows open files, not paths. A folder's event says that an entry came, went or was renamed, and not which; of
//! what is written to a file only the file itself tells. So each watched file is held open, besides its folder, and all
//! events are hints: what has changed is found by looking. The kernel keeps one event for each descriptor and adds to it,
//! so none is ever lost.
//!
//! What a file is, and not its path, is what has a number: a path that has another file now is given another number, as
//! with inotify.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use tokio::io::unix::AsyncFd;

use crate::host::sys::touch::{Touch, What};

/// What the kernel tells of a file, by the numbers that all of the family use (`<sys/event.h>`).
mod note {
    pub(super) const DELETE: u32 = 0x01;
    pub(super) const WRITE: u32 = 0x02;
    pub(super) const EXTEND: u32 = 0x04;
    pub(super) const ATTRIB: u32 = 0x08;
    pub(super) const LINK: u32 = 0x10;
    pub(super) const RENAME: u32 = 0x20;
    pub(super) const REVOKE: u32 = 0x40;
    /// FreeBSD's: closed by somebody who could write.
    pub(super) const CLOSE_WRITE: u32 = 0x200;
}

/// Whether the end of writing is told.
const TELLS_CLOSING: bool = cfg!(target_os = "freebsd");

/// A descriptor that can be watched and does nothing else: on macOS it keeps no volume from being unmounted.
#[cfg(target_os = "macos")]
const OPEN: i32 = libc::O_EVTONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;
#[cfg(not(target_os = "macos"))]
const OPEN: i32 = libc::O_NONBLOCK | libc::O_CLOEXEC;

/// The calls of kqueue(2) that are needed. Once a watched file is closed nothing more is told of it.
pub(super) trait Queue: Sized {
    fn new() -> io::Result<Self>;
    /// Has these events of a file told, under a number.
    fn watch(&self, file: BorrowedFd<'_>, number: i32, notes: u32) -> io::Result<()>;
    /// What was told since the last time, each with its number; empty: nothing.
    fn take(&self) -> io::Result<Vec<(i32, u32)>>;
    /// What becomes readable when something is told.
    fn readiness(&self) -> io::Result<OwnedFd>;
}

/// Any number of watches, as long as there are descriptors.
#[cfg(not(target_os = "linux"))]
pub type Watcher = Watching<Kernel>;

/// The same on any queue.
#[derive(Debug)]
pub struct Watching<Q> {
    queue: Q,
    ready: AsyncFd<OwnedFd>,
    held: RefCell<Held>,
    most: usize,
}

/// What is watched, and held open for it.
#[derive(Debug, Default)]
struct Held {
    last: i32,
    files: HashMap<i32, Watched>,
    /// Numbers by device and inode.
    numbers: HashMap<(u64, u64), i32>,
}

#[derive(Debug)]
struct Watched {
    file: File,
    which: (u64, u64),
    is_folder: bool,
}

#[allow(private_bounds, reason = "there is one of the kernel and one of the tests")]
impl<Q: Queue> Watching<Q> {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        let queue = Q::new()?;
        let ready = super::watched::watched_fd(queue.readiness()?)?;
        // The services need descriptors, too.
        let most = super::files_limit::current() / 2;
        Ok(Self { queue, ready, held: RefCell::default(), most })
    }

    /// Watches a folder or a file; one that is watched already gives the same number.
    pub fn add(&self, path: &Path) -> io::Result<i32> {
        let file = File::options().read(true).custom_flags(OPEN).open(path)?;
        let data = file.metadata()?;
        let which = (data.dev(), data.ino());
        let mut held = self.held.borrow_mut();
        if let Some(number) = held.numbers.get(&which) {
            return Ok(*number);
        }
        if held.files.len() >= self.most {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        // A number is not given again, so that what is still on its way for one that is over concerns nobody.
        let number = held.last + 1;
        self.queue.watch(file.as_fd(), number, notes(data.is_dir()))?;
        held.last = number;
        held.files.insert(number, Watched { file, which, is_folder: data.is_dir() });
        held.numbers.insert(which, number);
        Ok(number)
    }

    /// Watches no more; one that is over already is no error.
    pub fn remove(&self, watch: i32) {
        let mut held = self.held.borrow_mut();
        if let Some(Watched { file, which, .. }) = held.files.remove(&watch) {
            held.numbers.remove(&which);
            drop(file);
        }
    }

    /// Waits for events.
    pub async fn next(&self) -> io::Result<Vec<Touch>> {
        loop {
            let mut guard = self.ready.readable().await?;
            let told = self.queue.take()?;
            if told.is_empty() {
                guard.clear_ready();
                continue;
            }
            let touches: Vec<Touch> =
                told.into_iter().filter_map(|(number, notes)| self.touch(number, notes)).collect();
            for touch in touches.iter().filter(|touch| touch.what == What::Over) {
                touch.watch.into_iter().for_each(|number| self.remove(number));
            }
            if !touches.is_empty() {
                return Ok(touches);
            }
        }
    }

    fn touch(&self, number: i32, notes: u32) -> Option<Touch> {
        let is_folder = self.held.borrow().files.get(&number)?.is_folder;
        Some(Touch { watch: Some(number), name: None, what: what(is_folder, notes) })
    }
}

/// What is to be told of a folder or file.
const fn notes(is_folder: bool) -> u32 {
    let always = note::DELETE | note::ATTRIB | note::LINK | note::RENAME | note::REVOKE;
    // A file that is being written to is not read before its end, where that is told.
    if !is_folder && TELLS_CLOSING { always | note::CLOSE_WRITE } else { always | note::WRITE | note::EXTEND }
}

/// What that which was told of a folder or file means.
const fn what(is_folder: bool, notes: u32) -> What {
    if notes & (note::DELETE | note::REVOKE) != 0 {
        What::Over
    } else if !is_folder && notes & (note::WRITE | note::CLOSE_WRITE) != 0 {
        What::Written
    } else {
        What::Other
    }
}

/// The kernel's own.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod kernel {
    use std::io;
    use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

    use nix::errno::Errno;
    use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

    use super::{Queue, note};

    const _: () = assert!(
        note::DELETE == libc::NOTE_DELETE
            && note::WRITE == libc::NOTE_WRITE
            && note::EXTEND == libc::NOTE_EXTEND
            && note::ATTRIB == libc::NOTE_ATTRIB
            && note::LINK == libc::NOTE_LINK
            && note::RENAME == libc::NOTE_RENAME
            && note::REVOKE == libc::NOTE_REVOKE
    );
    #[cfg(target_os = "freebsd")]
    const _: () = assert!(note::CLOSE_WRITE == libc::NOTE_CLOSE_WRITE);

    /// As many events as are taken at a time.
    const ROOM: usize = 64;

    #[derive(Debug)]
    pub struct Kernel(Kqueue);

    fn event(ident: usize, notes: u32, number: i32) -> KEvent {
        let flags = EvFlags::EV_ADD | EvFlags::EV_CLEAR;
        let number = isize::try_from(number).unwrap_or_default();
        KEvent::new(ident, EventFilter::EVFILT_VNODE, flags, FilterFlag::from_bits_retain(notes), 0, number)
    }

    impl Queue for Kernel {
        fn new() -> io::Result<Self> {
            let queue = Kqueue::new()?;
            // No child has a use for it; a forked one doesn't have it, one that was made otherwise might.
            nix::fcntl::fcntl(&queue, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
            Ok(Self(queue))
        }

        fn watch(&self, file: BorrowedFd<'_>, number: i32, notes: u32) -> io::Result<()> {
            let ident = usize::try_from(file.as_raw_fd()).unwrap_or_default();
            // Without room for an answer what is wrong is told by the call.
            self.0.kevent(&[event(ident, notes, number)], &mut [], None)?;
            Ok(())
        }

        fn take(&self) -> io::Result<Vec<(i32, u32)>> {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let mut told = Vec::new();
            let mut room = [event(0, 0, 0); ROOM];
            loop {
                match self.0.kevent(&[], &mut room, Some(at_once)) {
                    Ok(count) => {
                        let events = room.iter().take(count);
                        told.extend(
                            events
                                .filter_map(|event| Some((i32::try_from(event.udata()).ok()?, event.fflags().bits()))),
                        );
                        if count < ROOM {
                            return Ok(told);
                        }
                    }
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }

        fn readiness(&self) -> io::Result<OwnedFd> {
            self.0.as_fd().try_clone_to_owned()
        }
    }
}
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
use kernel::Kernel;

/// There is none here.
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
#[derive(Debug)]
pub struct Kernel(std::convert::Infallible);

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
impl Queue for Kernel {
    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn watch(&self, _: BorrowedFd<'_>, _: i32, _: u32) -> io::Result<()> {
        match self.0 {}
    }

    fn take(&self) -> io::Result<Vec<(i32, u32)>> {
        match self.0 {}
    }

    fn readiness(&self) -> io::Result<OwnedFd> {
        match self.0 {}
    }
}

/// What a refusal to watch more means, where that is the reason.
#[must_use]
pub fn watch_limit(error: &io::Error) -> Option<&'static str> {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
        .then_some("each watched file is held open, and the limit of open files is reached")
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "kqueue/tests.rs"]
mod tests;
