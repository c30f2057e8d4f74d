//! Services end with their host here: there is nothing to be kept for the next one.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use super::{ChildEnd, NotifySocket};

/// The link to a keeper. There is none.
#[derive(Debug)]
pub enum Keeper {}

/// A socket that a keeper had. There is none.
#[derive(Debug)]
pub struct Kept {
    /// What it was held by.
    pub key: u64,
    /// What services said while nobody read it.
    pub said: String,
    pub(super) none: Infallible,
}

impl Keeper {
    /// None is found, and none can be made.
    pub fn find_or_make(_: &Path) -> io::Result<(Self, Vec<Kept>)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Its process.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        match *self {}
    }

    /// Has it hold a pipe.
    pub const fn hold_pipe(&self, _: u64, _: &ChildEnd) -> io::Result<()> {
        match *self {}
    }

    /// Has it hold a socket.
    pub const fn hold_socket(&self, _: u64, _: &NotifySocket) -> io::Result<()> {
        match *self {}
    }

    /// It need not hold that any more.
    pub const fn forget(&self, _: u64) -> io::Result<()> {
        match *self {}
    }

    /// Ends it.
    pub const fn dismiss(self, _: &Path) {
        match self {}
    }

    /// What returns when it is gone.
    pub const fn end(&self) -> io::Result<std::future::Pending<()>> {
        match *self {}
    }
}
