//! Processes: who one is, and its end.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, FILETIME, WAIT_TIMEOUT};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    GetCurrentThread, GetExitCodeProcess, GetProcessTimes, OpenProcess, PROCESS_NAME_WIN32,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, QueryFullProcessImageNameW,
    SetThreadPriority, THREAD_PRIORITY_LOWEST, TerminateProcess, WaitForSingleObject,
};

use super::handle::{check, owned, size_of_it};
use super::job::Group;
use super::signals::TELL;
use super::wait::Wait;
use crate::host::machine::Ended;
use crate::service::Signal;

/// What [`kill_all`] does, in words.
pub const KILL: &str = "TerminateJobObject";

/// Processes are of jobs here, not of groups.
pub const HAS_PROCESS_GROUPS: bool = false;

/// Who a process is: its id, and when it started, because ids come round again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// When it started, in units of 100 ns since 1601.
    pub started: u64,
}

/// A process of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Process id.
    pub pid: i32,
    /// Its session: never that of another process here.
    pub session: i32,
}

fn open(pid: i32, access: u32) -> io::Result<OwnedHandle> {
    let pid = u32::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: it takes numbers only, and the handle is ours.
    unsafe { owned(OpenProcess(access, 0, pid)) }
}

fn has_ended(process: &OwnedHandle) -> bool {
    // SAFETY: the handle is open for synchronization; it does not wait.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) != WAIT_TIMEOUT }
}

fn started(process: &OwnedHandle) -> io::Result<u64> {
    times(process).map(|times| times[0])
}

/// When it was made and ended, and what it has had of the processors for the system and for itself, in units of 100 ns.
fn times(process: &OwnedHandle) -> io::Result<[u64; 4]> {
    let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut made, mut ended, mut kernel, mut user) = (none, none, none, none);
    let handle = process.as_raw_handle();
    // SAFETY: the handle is open for queries, and the pointers are to living structures.
    check(unsafe { GetProcessTimes(handle, &raw mut made, &raw mut ended, &raw mut kernel, &raw mut user) })?;
    Ok([made, ended, kernel, user].map(|time| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime)))
}

/// Who the process with this id is now; None: there is none.
#[must_use]
pub fn identify(pid: i32) -> Option<Identity> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE).ok()?;
    (!has_ended(&process)).then_some(Identity { pid, started: started(&process).ok()? })
}

/// Whether that very process lives. One that we may not look at counts as alive.
#[must_use]
pub fn lives(who: Identity) -> bool {
    match open(who.pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE) {
        Ok(process) => !has_ended(&process) && started(&process).is_ok_and(|at| at == who.started),
        Err(error) => error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()),
    }
}

/// Returns when that very process is gone.
pub async fn until_gone(who: Identity) {
    let Ok(process) = open(who.pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE) else { return };
    // While the handle is open, its number is nobody else's.
    if started(&process).is_ok_and(|at| at == who.started) {
        let _ = super::wait::until_signalled(process.as_handle()).await;
    }
}

/// Each console has a process that belongs to whoever made it, and is nobody's child to wait for.
pub(super) fn is_console_host(pid: i32) -> bool {
    let Ok(process) = open(pid, PROCESS_QUERY_LIMITED_INFORMATION) else { return false };
    let mut name = [0u16; 1024];
    let mut length = 1024;
    // SAFETY: the handle is open for queries; the buffer has as many characters as `length` says.
    let done = unsafe {
        QueryFullProcessImageNameW(process.as_raw_handle(), PROCESS_NAME_WIN32, name.as_mut_ptr(), &raw mut length)
    };
    let name = name.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
    let file = String::from_utf16_lossy(name).to_ascii_lowercase();
    done != 0 && file.rsplit('\\').next() == Some("conhost.exe")
}

/// The value of the mark's variable in a process's environment: not to be seen here.
#[must_use]
pub const fn mark_of(_: i32) -> Option<String> {
    None
}

/// A process and, of a child of ours, all that are in its job.
pub(super) fn with_job(pid: i32) -> Vec<i32> {
    let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = children.get(&pid).map(|child| child.job.members()).unwrap_or_default();
    all.push(pid);
    all
}

/// Bytes of memory that a process has, and the processor time that it has had in units of 100 ns.
pub(super) fn used(pid: i32) -> Option<(u64, u64)> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    let size = size_of_it::<PROCESS_MEMORY_COUNTERS>();
    // SAFETY: the handle is open for queries; the structure is of that size.
    check(unsafe { K32GetProcessMemoryInfo(process.as_raw_handle(), &raw mut counters, size) }).ok()?;
    let times = times(&process).ok()?;
    Some((u64::try_from(counters.WorkingSetSize).ok()?, times[2] + times[3]))
}

/// A child of ours.
#[derive(Debug)]
struct Child {
    process: OwnedHandle,
    job: Group,
    /// Nobody else holds the job: it is a command's.
    alone: bool,
    _wait: Wait,
}

static CHILDREN: LazyLock<Mutex<HashMap<i32, Child>>> = LazyLock::new(Mutex::default);
static ENDED: Mutex<VecDeque<i32>> = Mutex::new(VecDeque::new());

/// Remembers a child until it is reaped.
pub(super) fn keep_child(pid: i32, process: OwnedHandle, job: Group, alone: bool) -> io::Result<()> {
    let wait = Wait::new(process.as_handle(), true, move || {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).push_back(pid);
        TELL.child.notify_one();
    })?;
    let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    children.insert(pid, Child { process, job, alone, _wait: wait });
    Ok(())
}

/// The next child that has ended, and how; None: none has. It returns at once.
#[must_use]
pub fn reap() -> Option<(i32, Ended)> {
    loop {
        let pid = ENDED.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        let child = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
        let Some(child) = child else { continue };
        let mut code = 0;
        // SAFETY: the handle is open, and the pointer is to a living integer.
        let told = unsafe { GetExitCodeProcess(child.process.as_raw_handle(), &raw mut code) };
        return Some((pid, if told == 0 { Ended::Unseen } else { Ended::Code(code.cast_signed()) }));
    }
}

/// Ends these processes: by their job, where they have one.
pub fn kill_all(pids: &[i32], group: Option<&Group>) {
    match group {
        Some(group) => group.terminate(),
        None => pids.iter().for_each(|pid| terminate(*pid)),
    }
}

fn terminate(pid: i32) {
    if let Ok(process) = open(pid, PROCESS_TERMINATE) {
        // SAFETY: the handle is open for this.
        unsafe { TerminateProcess(process.as_raw_handle(), 1) };
    }
}

/// Ends a command that we started, with all that came of it.
pub fn kill_command(pid: i32) {
    let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(child) = children.get(&pid).filter(|child| child.alone) {
        child.job.terminate();
    }
}

/// There are no signals here.
#[must_use]
pub const fn signal_name(_: i32) -> Option<String> {
    None
}

/// There are no signals here, and the backend refuses reload actions by one.
#[must_use]
pub const fn send_signal(_: i32, _: Signal) -> bool {
    false
}

/// Orphans stay in their job, and need no new parent.
#[must_use]
pub const fn become_subreaper() -> bool {
    false
}

/// No process has this number.
pub const NOBODY: i32 = -1;

/// No list of children is kept here: jobs tell.
#[must_use]
pub const fn own_children() -> Option<Vec<i32>> {
    None
}

/// Which processes came of a service is its job's to say.
#[must_use]
pub fn tree_of(_: i32, _: &str, _: bool, _: &dyn Fn(i32) -> bool) -> Vec<i32> {
    Vec::new()
}

/// There are no process groups.
#[must_use]
pub fn in_group_of(_: i32, _: bool, _: &dyn Fn(i32) -> bool) -> Vec<i32> {
    Vec::new()
}

/// No service outlives its host, so none is looked for.
#[must_use]
pub const fn everyone_marked(_: &str) -> Vec<(Member, String)> {
    Vec::new()
}

/// Nobody is asked about: see above.
#[must_use]
pub const fn is_run_by(_: i32, _: Option<u32>) -> bool {
    true
}

/// Gives this thread the least of the processor, as far as that goes without harm: it runs when nobody else wants to.
pub fn be_humble() {
    // SAFETY: the pseudo-handle of this thread is always valid. Without it, it is just less humble.
    unsafe {
        SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_LOWEST);
    }
}
