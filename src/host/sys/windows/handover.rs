//! A process cannot become another program here: nothing is ever left or taken over.

use std::io;
use std::path::Path;

use super::lock::Lock;

/// What would be left to the program that a process becomes. There is none.
#[derive(Debug, Clone, Copy)]
pub enum Socket {}

/// The same, with the lock.
#[derive(Debug)]
pub struct Handover {
    /// The scope's lock.
    pub lock: Lock,
    /// The control socket.
    pub socket: Socket,
}

/// What was left to us: nothing.
#[must_use]
pub const fn handed_over() -> Option<Handover> {
    None
}

/// Never called, as there is no socket to call it with.
pub fn exec(_: &Path, _: &Lock, socket: &Socket) -> io::Error {
    match *socket {}
}

/// Whether a process is a child from before we became this program.
#[must_use]
pub const fn is_child(_: i32) -> bool {
    false
}

/// Nothing is blocked.
pub const fn unblock_signals() {}
