//! Windows. A service's processes live in a job that only the host holds: they end with it, whatever ends it.

mod account;
mod clock;
mod console;
mod control;
mod disk;
mod handle;
mod handover;
mod job;
mod keeper;
mod lock;
mod memory;
mod notify;
mod pipe;
mod process;
mod sandbox;
pub mod scm;
mod shared;
mod signals;
mod spawn;
mod text;
mod tick;
mod usage;
mod wait;
mod watch;
mod yardstick;

pub use account::{Account, account_of, own_account};
pub use clock::{ClockChanges, boot_id, monotonic, processor_time};
pub use console::{ask_to_end, console_event, next_rung, stop_name};
pub use control::{Caller, Listener, ReadEnd, Stream, WriteEnd, still_listens};
pub use disk::{
    create_log, file_number, hostname, is_at, is_deleted, is_single_file, make_log_folder, make_private_folder,
    may_execute, move_log, neutral_folder, number_of, open_journal, open_log, read_log, read_private, remove_log,
    show_log,
};
pub use handover::{Handover, Socket, exec, handed_over, is_child, unblock_signals};
pub use job::{Group, limits_possible};
pub use keeper::{Keeper, Kept};
pub use lock::{Lock, hold_lock};
pub use memory::{be_frugal, give_back as give_back_memory};
pub use notify::{NotifySocket, notify_path};
pub use pipe::{ChildEnd, Listening, PipeEnd, holding, log_pipe};
pub use process::{
    HAS_PROCESS_GROUPS, Identity, KILL, Member, NOBODY, be_humble, become_subreaper, everyone_marked, identify,
    in_group_of, is_run_by, kill_all, kill_command, lives, mark_of, own_children, reap, send_signal, signal_name,
    tree_of, until_gone,
};
pub use sandbox::{Sandbox, sandbox_possible};
pub use scm::Above;
pub use shared::Shared;
pub use signals::{Signals, Told};
pub use spawn::{close_stdout, first_line, forget_inherited, in_own_session, spawn};
pub use text::text_of;
pub use tick::Tick;
pub use usage::{Stray, strays, usage};
pub use watch::{Watcher, watch_limit};
pub use yardstick::until_another_ran;

/// A folder's watch tells of what is written to the files in it.
pub const WATCHES_EACH_FILE: bool = false;

/// The service control manager limits nobody: the host's job does.
pub const LIMITED_FROM_ABOVE: bool = false;

/// The service control manager has no timers.
pub const SCHEDULED_FROM_ABOVE: bool = false;

/// The service control manager knows an exit code, and neither that a oneshot has completed nor how a stop went.
pub const ABOVE_KEEPS_HISTORY: bool = false;

/// A killed host takes its services along: their job closes with its process.
pub const SERVICES_OUTLIVE_HOST: bool = false;

/// A child is made before its libraries are loaded and its console is there.
pub const LOADS_LATER: bool = true;
