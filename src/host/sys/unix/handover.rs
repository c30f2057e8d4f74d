//! Becoming another program in place: the process, its children, its lock and its socket stay.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

use super::lock::Lock;

/// Says to the program that we become what it is given: `PID:LOCK:SOCKET`.
const VARIABLE: &str = "DAEMONCTL_HANDOVER";

/// What the program that we were has left to us.
#[derive(Debug)]
pub struct Handover {
    /// The scope's lock, held all the time.
    pub lock: Lock,
    /// The control socket, which listens all the time.
    pub socket: OwnedFd,
}

/// What was left to us; None: we were started afresh.
#[must_use]
pub fn handed_over() -> Option<Handover> {
    let value = std::env::var(VARIABLE).ok()?;
    let mut numbers = value.split(':').map(str::parse::<i32>);
    let (pid, lock, socket) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    // A variable that came from elsewhere says nothing about us.
    if u32::try_from(pid).ok() != Some(std::process::id()) || lock < 3 || socket < 3 || lock == socket {
        return None;
    }
    Some(Handover { lock: Lock::held(take(lock)?.into())?, socket: take(socket)? })
}

/// What is open by this number, by a low one from now on: a child that we are making holds the lock as long as it is
/// not yet its program, and gets low numbers only (see `vfork`).
fn take(number: i32) -> Option<OwnedFd> {
    // SAFETY: a copy of a number that may not be open; then the answer is EBADF.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy == -1 {
        return None;
    }
    // SAFETY: both are open, and `number` was left to this process, whose id the variable has, by `exec`: nobody else
    // here knows it.
    let (copy, _closed) = unsafe { (OwnedFd::from_raw_fd(copy), OwnedFd::from_raw_fd(number)) };
    Some(copy)
}

/// Becomes `program` with our arguments. Returns only if that fails.
pub fn exec(program: &Path, lock: &Lock, socket: &OwnedFd) -> std::io::Error {
    become_it(program, lock, socket).err().unwrap_or_else(std::io::Error::last_os_error)
}

fn become_it(program: &Path, lock: &Lock, socket: &OwnedFd) -> std::io::Result<()> {
    // Copies are not closed by exec.
    let (lock, socket) = (nix::unistd::dup(lock.as_fd())?, nix::unistd::dup(socket)?);
    let text = |text: OsString| CString::new(text.as_bytes()).map_err(std::io::Error::other);
    let path = text(program.as_os_str().to_owned())?;
    let mut args = std::env::args_os().map(text).collect::<std::io::Result<Vec<_>>>()?;
    if let Some(first) = args.first_mut() {
        first.clone_from(&path);
    }
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os().filter(|(name, _)| name != VARIABLE) {
        let mut pair = name;
        pair.push("=");
        pair.push(value);
        variables.push(text(pair)?);
    }
    let handed = format!("{VARIABLE}={}:{}:{}", std::process::id(), lock.as_raw_fd(), socket.as_raw_fd());
    variables.push(text(handed.into())?);
    // Until the program catches signals, they would end it; they wait instead.
    block(SigmaskHow::SIG_BLOCK);
    super::files_limit::restore();
    let failed = nix::unistd::execve(&path, &args, &variables);
    super::files_limit::raise();
    unblock_signals();
    failed.map(drop).map_err(std::io::Error::from)
}

fn block(how: SigmaskHow) {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    let _ = sigprocmask(how, Some(&signals), None);
}

/// Signals that waited for us come now.
pub fn unblock_signals() {
    block(SigmaskHow::SIG_UNBLOCK);
}

/// Whether a process is our child, alive or not yet reaped.
#[must_use]
#[allow(clippy::useless_conversion, reason = "an id_t has another type on FreeBSD")]
pub fn is_child(pid: i32) -> bool {
    // SAFETY: an all-zero siginfo_t is a valid one to be written to.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let id: libc::id_t = pid.unsigned_abs().into();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is to a living structure of the type that waitid(2) writes.
    pid > 0 && unsafe { libc::waitid(libc::P_PID, id, &raw mut info, flags) } == 0
}
