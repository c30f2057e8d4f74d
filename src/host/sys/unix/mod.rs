//! Unix.

mod account;
mod clock;
mod datagram;
mod fifo;
mod handover;
mod inotify;
mod lock;
mod process;
mod spawn;
mod tree;
mod watched;

pub use account::{Account, account_of, own_account};
pub use clock::{ClockChanges, boot_id, monotonic};
pub use datagram::{bind_datagram, receive};
pub use fifo::{fifo, open_fifo_for_child, open_fifo_for_reading};
pub use handover::{Handover, exec, handed_over, is_child, unblock_signals};
pub use inotify::{Inotify, Touch, What};
pub use lock::{Lock, hold_lock};
pub use process::{
    Identity, become_subreaper, forget_inherited_files, group_of, identify, lives, reap, send, send_group, signal_name,
    signal_number,
};
pub use spawn::{Launch, Output, close_stdout, in_own_session, spawn};
pub use tree::{Member, everyone_marked, members, tree_of};
pub use watched::{watched_datagram, watched_fd, watched_file};

/// A file descriptor that becomes readable when the process ends; None where the system has none.
#[must_use]
pub fn pidfd(pid: i32) -> Option<std::os::fd::OwnedFd> {
    process::pidfd(pid)
}
