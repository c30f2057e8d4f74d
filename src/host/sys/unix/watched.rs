//! Descriptors in the event loop.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::rc::Rc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

macro_rules! watched {
    ($(#[$doc:meta])* $name:ident $type:ty) => {
        $(#[$doc])*
        pub(super) fn $name(owned: $type) -> io::Result<AsyncFd<$type>> {
            // SAFETY: the value owns its descriptor (or a share of it), always gives the same one, and is
            // dropped after it was deregistered.
            unsafe { Ok(AsyncFd::register_with_interest(owned, Interest::READABLE)?) }
        }
    };
}

watched! {
    /// Waits for a pipe to be readable.
    watched_file Rc<File>
}
watched! {
    /// Waits for a socket to be readable.
    watched_datagram UnixDatagram
}
watched! {
    /// Waits for a pidfd to be readable.
    watched_fd OwnedFd
}
