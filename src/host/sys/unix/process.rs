//! Processes: who one is, signals to it, and its end.

use nix::errno::Errno;
use nix::sys::signal::{Signal as Number, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::host::machine::Ended;
use crate::service::{Signal, StopSignal};

/// Who a process is: its id, and when it started, because ids come round again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Process id; its session and its group have the same.
    pub pid: i32,
    /// When it started, in the system's own unit (Linux: clock ticks since boot).
    pub started: u64,
}

/// The number of a signal.
#[must_use]
pub const fn signal_number(signal: Signal) -> i32 {
    match signal {
        Signal::Abrt => libc::SIGABRT,
        Signal::Alrm => libc::SIGALRM,
        Signal::Cont => libc::SIGCONT,
        Signal::Hup => libc::SIGHUP,
        Signal::Int => libc::SIGINT,
        Signal::Kill => libc::SIGKILL,
        Signal::Quit => libc::SIGQUIT,
        Signal::Term => libc::SIGTERM,
        Signal::Usr1 => libc::SIGUSR1,
        Signal::Usr2 => libc::SIGUSR2,
        Signal::Winch => libc::SIGWINCH,
    }
}

/// The name of a signal, without `SIG`.
#[must_use]
pub fn signal_name(number: i32) -> Option<String> {
    let signal = Number::try_from(number).ok()?;
    signal.as_str().strip_prefix("SIG").map(str::to_owned)
}

/// When a process started; None: it is gone.
#[cfg(target_os = "linux")]
fn started(pid: i32) -> Option<u64> {
    let stat = super::tree::stat(pid)?;
    (!matches!(stat.state, b'Z' | b'X')).then_some(stat.started)
}

#[cfg(not(target_os = "linux"))]
fn started(pid: i32) -> Option<u64> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = Pid::from_u32(u32::try_from(pid).ok()?);
    let mut system = System::new();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    system.process(pid).map(sysinfo::Process::start_time)
}

/// Who the process with this id is now; None: there is none.
#[must_use]
pub fn identify(pid: i32) -> Option<Identity> {
    started(pid).map(|started| Identity { pid, started })
}

/// Whether that very process lives.
#[must_use]
pub fn lives(who: Identity) -> bool {
    started(who.pid) == Some(who.started)
}

/// Sends a signal to one process. False: it is gone.
#[must_use]
pub fn send(pid: i32, signal: i32) -> bool {
    Number::try_from(signal).is_ok_and(|signal| kill(Pid::from_raw(pid), signal) != Err(Errno::ESRCH))
}

/// Sends a signal to a process group; None only asks. False: nobody is in it.
#[must_use]
pub(super) fn send_group(group: i32, signal: Option<i32>) -> bool {
    let signal = signal.and_then(|signal| Number::try_from(signal).ok());
    killpg(Pid::from_raw(group), signal) != Err(Errno::ESRCH)
}

/// What [`kill_all`] sends, in words.
pub const KILL: &str = "SIGKILL";

/// Kills these processes, and all of their group at once where there is one.
pub fn kill_all(pids: &[i32], group: Option<&super::cgroup::Group>) {
    if group.is_some_and(super::cgroup::Group::kill) && pids.iter().all(|pid| identify(*pid).is_none()) {
        return;
    }
    for pid in pids {
        let _ = send(*pid, libc::SIGKILL);
    }
}

/// Kills a command that we started, and its process group.
pub fn kill_command(pid: i32) {
    let _ = send_group(pid, Some(libc::SIGKILL));
}

/// What [`ask_to_end`] sends, in words.
#[must_use]
pub fn stop_name(signal: StopSignal) -> String {
    let number = signal_number(stop_signal(signal));
    format!("SIG{}", signal_name(number).unwrap_or_else(|| number.to_string()))
}

/// Asks these processes to end.
pub fn ask_to_end(pids: &[i32], signal: StopSignal) {
    for pid in pids {
        let _ = send(*pid, signal_number(stop_signal(signal)));
    }
}

/// What is asked next, short of killing: there is nothing.
#[must_use]
pub const fn next_rung(_: StopSignal) -> Option<StopSignal> {
    None
}

/// Windows' ways of asking have no signal here, and the backend refuses them.
const fn stop_signal(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Signal(signal) => signal,
        StopSignal::CtrlC | StopSignal::CtrlBreak | StopSignal::Close => Signal::Term,
    }
}

/// Sends the signal of a reload action. False: the process is gone.
#[must_use]
pub fn send_signal(pid: i32, signal: Signal) -> bool {
    send(pid, signal_number(signal))
}

/// The process group of a process; None: it is gone.
#[must_use]
pub(super) fn group_of(pid: i32) -> Option<i32> {
    nix::unistd::getpgid(Some(Pid::from_raw(pid))).ok().map(Pid::as_raw)
}

/// The next child that has ended, and how; None: none has. It returns at once.
#[must_use]
pub fn reap() -> Option<(i32, Ended)> {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a living integer. By hand, because nix has no word for an end by a real-time signal.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid == -1 && Errno::last() == Errno::EINTR {
            continue;
        }
        let ended = match pid {
            i32::MIN..=0 => return None,
            _ if libc::WIFEXITED(status) => Ended::Code(libc::WEXITSTATUS(status)),
            _ if libc::WIFSIGNALED(status) => Ended::Signal(libc::WTERMSIG(status)),
            _ => continue,
        };
        return Some((pid, ended));
    }
}

/// From now on orphans of our children become our children. False: this system can't.
#[must_use]
pub fn become_subreaper() -> bool {
    #[cfg(target_os = "linux")]
    return nix::sys::prctl::set_child_subreaper(true).is_ok();
    #[cfg(not(target_os = "linux"))]
    false
}

/// Whatever files this process was born with, no service inherits them; nor a umask that lets others write what is made.
/// What it may open is raised, for itself alone.
pub fn forget_inherited() {
    use nix::sys::stat::{Mode, umask};
    // It can only be told by setting it.
    let born_with = umask(Mode::S_IRWXG | Mode::S_IRWXO);
    umask(born_with | Mode::S_IWGRP | Mode::S_IWOTH);
    super::files_limit::raise();
    for folder in ["/proc/self/fd", "/dev/fd"] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let open: Vec<i32> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect();
        for fd in open {
            // SAFETY: setting a flag on a number that may no longer be open has no effect but EBADF.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        return;
    }
}

/// What becomes readable when the process ends, whoever's child it is: a pidfd, or a kqueue that watches it.
#[must_use]
pub fn end_of(pid: i32) -> Option<std::os::fd::OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::FromRawFd;
        // SAFETY: pidfd_open takes two numbers and touches no memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
        Some(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
    }
    #[cfg(any(target_os = "macos", target_os = "freebsd"))]
    {
        use std::os::fd::{AsRawFd, FromRawFd};
        // SAFETY: kqueue(2) takes nothing and gives a descriptor.
        let queue = unsafe { libc::kqueue() };
        if queue < 0 {
            return None;
        }
        // SAFETY: it was just given to us, and nobody else has it.
        let queue = unsafe { std::os::fd::OwnedFd::from_raw_fd(queue) };
        // SAFETY: all zeros are a valid value of it.
        let mut end: libc::kevent = unsafe { std::mem::zeroed() };
        end.ident = usize::try_from(pid).ok()?;
        end.filter = libc::EVFILT_PROC;
        end.flags = libc::EV_ADD | libc::EV_ONESHOT;
        end.fflags = libc::NOTE_EXIT;
        // SAFETY: one change is read, and nothing is written, as there is room for no event.
        let asked =
            unsafe { libc::kevent(queue.as_raw_fd(), &raw const end, 1, std::ptr::null_mut(), 0, std::ptr::null()) };
        (asked == 0).then_some(queue)
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
    {
        let _ = pid;
        None
    }
}

/// Returns when that very process is gone.
pub async fn until_gone(who: Identity) {
    if let Some(end) = end_of(who.pid) {
        // Looked at after the descriptor is held: a process that took its number since is not waited for.
        if lives(who)
            && let Ok(fd) = super::watched::watched_fd(end)
        {
            let _ = fd.readable().await;
        }
        return;
    }
    // Where the kernel is too old for that (Linux before 5.3) nothing tells of the end of a process that is no child of
    // ours; what lives for long is looked at less often.
    let mut pause = std::time::Duration::from_millis(20);
    while lives(who) {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(std::time::Duration::from_millis(500));
    }
}

/// Gives this thread, where the system can tell threads apart, the least of the processor.
pub fn be_humble() {
    #[cfg(target_os = "linux")]
    // SAFETY: setpriority(2) takes numbers only; on Linux, 0 is the calling thread. Without it, it is just less humble.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
    }
}
