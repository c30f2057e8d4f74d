//! Unix.

mod account;
mod becomes;
mod brand;
mod cgroup;
mod clock;
mod control;
mod datagram;
mod disk;
mod fifo;
mod files_limit;
mod handover;
#[cfg(target_os = "linux")]
mod inotify;
mod keeper;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", allow(unreachable_pub, reason = "on Linux it is there for its tests alone"))]
mod kqueue;
mod lock;
mod memory;
mod private;
mod process;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(not(target_os = "linux"))]
#[path = "sandbox_none.rs"]
mod sandbox;
mod shared;
mod signals;
mod spawn;
mod tick;
mod tree;
mod usage;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod vfork;
mod watched;

pub use account::{Account, account_of, own_account};
pub use cgroup::{Group, possible as limits_possible};
pub use clock::{ClockChanges, boot_id, monotonic, processor_time};
pub use control::{Caller, Listener, ReadEnd, Socket, Stream, WriteEnd, still_listens};
pub use datagram::{Above, NotifySocket, notify_path};
pub use disk::{
    create_log, file_number, hostname, is_at, is_deleted, is_single_file, make_log_folder, may_execute, move_log,
    neutral_folder, number_of, open_journal, open_log, read_log, remove_log, show_log, text_of,
};
pub use fifo::{ChildEnd, Listening, PipeEnd, holding, log_pipe};
pub use handover::{Handover, exec, handed_over, is_child, unblock_signals};
#[cfg(target_os = "linux")]
pub use inotify::{Watcher, watch_limit};
pub use keeper::{Keeper, Kept};
#[cfg(not(target_os = "linux"))]
pub use kqueue::{Watcher, watch_limit};
pub use lock::{Lock, hold_lock};
pub use memory::{be_frugal, give_back as give_back_memory};
pub use private::{make_private_folder, read_private};
pub use process::{
    Identity, KILL, ask_to_end, be_humble, become_subreaper, end_of, forget_inherited, identify, kill_all,
    kill_command, lives, next_rung, reap, send, send_signal, signal_name, signal_number, stop_name, until_gone,
};
pub use sandbox::{Sandbox, sandbox_possible};
pub use shared::Shared;
pub use signals::{Signals, Told};
pub use spawn::{close_stdout, first_line, in_own_session, spawn};
pub use tick::Tick;
pub use tree::{
    HAS_PROCESS_GROUPS, Member, NOBODY, everyone_marked, in_group_of, is_run_by, mark_of, members, own_children,
    tree_of,
};
pub use usage::{Stray, strays, usage};

/// A folder's watch tells nothing of what is written to the files in it.
pub const WATCHES_EACH_FILE: bool = cfg!(not(target_os = "linux"));

/// What limits the host (a unit of systemd) limits what it starts.
pub const LIMITED_FROM_ABOVE: bool = true;

/// When a task runs is the manager's business: it has timers.
pub const SCHEDULED_FROM_ABOVE: bool = true;

/// The manager knows what became of a service that has ended well.
pub const ABOVE_KEEPS_HISTORY: bool = true;

/// Services live on when their host is killed, and the next one takes them over.
pub const SERVICES_OUTLIVE_HOST: bool = true;

/// A child was executed when it has been made: nothing of its start comes after that.
pub const LOADS_LATER: bool = false;

/// Returns when a program that is started now would have been loaded: at once.
pub fn until_another_ran() -> std::future::Ready<()> {
    std::future::ready(())
}
