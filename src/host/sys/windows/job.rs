//! Jobs: a service's processes, wherever they have gone, with the limits of them all.
//!
//! See <https://learn.microsoft.com/windows/win32/procthread/job-objects>. The handle is the host's alone and never
//! inherited: the job closes with the host, and that ends what is in it.

use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};

use serde_json::Value;
use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, HANDLE};
use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOB_OBJECT_CPU_RATE_CONTROL_ENABLE, JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP,
    JOB_OBJECT_LIMIT_ACTIVE_PROCESS, JOB_OBJECT_LIMIT_AFFINITY, JOB_OBJECT_LIMIT_BREAKAWAY_OK,
    JOB_OBJECT_LIMIT_JOB_MEMORY, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_CPU_RATE_CONTROL_INFORMATION,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectBasicProcessIdList, JobObjectCpuRateControlInformation,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};

use super::handle::{check, owned, size_of_it};
use crate::error::{Error, IoContext, Result};
use crate::service::Limits;

/// What the processes of a job that is terminated leave as their exit code.
const TERMINATED: u32 = 1;

/// A job.
#[derive(Debug)]
pub struct Group(OwnedHandle);

impl Group {
    /// A job with these limits, and those of `[service.NAME.windows]`. Every service has one, as only a job knows a whole
    /// tree of processes.
    pub fn make(limits: &Limits, native: &Value, _: &str) -> Result<Option<Self>> {
        let group = Self::new().doing("make a job")?;
        group.limit(limits, native)?;
        Ok(Some(group))
    }

    /// A job without limits.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: neither attributes nor a name; the handle is ours, and not inherited.
        let group = Self(unsafe { owned(CreateJobObjectW(std::ptr::null(), std::ptr::null())) }?);
        group.set(JobObjectExtendedLimitInformation, &extended(&Limits::default(), &Value::Null))?;
        Ok(group)
    }

    /// The same job, once more.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    fn limit(&self, limits: &Limits, native: &Value) -> Result<()> {
        self.set(JobObjectExtendedLimitInformation, &extended(limits, native))
            .map_err(|error| refused("limits.memory`, `limits.tasks`, `windows.affinity", &error))?;
        let Some(cores) = limits.cpu else { return Ok(()) };
        let mut rate = JOBOBJECT_CPU_RATE_CONTROL_INFORMATION {
            ControlFlags: JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP,
            ..Default::default()
        };
        rate.Anonymous.CpuRate = cpu_rate(cores);
        self.set(JobObjectCpuRateControlInformation, &rate).map_err(|error| refused("limits.cpu", &error))
    }

    fn set<T>(&self, class: i32, value: &T) -> io::Result<()> {
        // SAFETY: the job is open; the value is of the class's type, and of its size.
        check(unsafe {
            SetInformationJobObject(self.0.as_raw_handle(), class, std::ptr::from_ref(value).cast(), size_of_it::<T>())
        })
    }

    /// The living processes in it, but for the hosts of their consoles.
    #[must_use]
    pub fn members(&self) -> Vec<i32> {
        let mut pids = self.pids();
        pids.retain(|pid| !super::process::is_console_host(*pid));
        pids
    }

    fn pids(&self) -> Vec<i32> {
        // Two counts, and then the ids, each as wide as a pointer.
        let mut room = 64;
        loop {
            let mut list = vec![0usize; room + 1];
            let bytes = u32::try_from(size_of_val(&list[..])).unwrap_or(u32::MAX);
            // SAFETY: the job is open, and the buffer has that many bytes, aligned for pointers.
            let done = unsafe {
                QueryInformationJobObject(
                    self.0.as_raw_handle(),
                    JobObjectBasicProcessIdList,
                    list.as_mut_ptr().cast(),
                    bytes,
                    std::ptr::null_mut(),
                )
            };
            if done == 0 {
                let more = io::Error::last_os_error().raw_os_error() == Some(ERROR_MORE_DATA.cast_signed());
                if more && room < 1 << 20 {
                    room *= 4;
                    continue;
                }
                return Vec::new();
            }
            // `NumberOfAssignedProcesses` and `NumberOfProcessIdsInList` share the first word, on 64 bits.
            let first = list[0].to_le_bytes();
            let (counts, skip) = if size_of::<usize>() == 8 { (&first[4..8], 1) } else { (&first[0..4], 2) };
            let count = counts.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let count = if skip == 2 { list[1] } else { usize::try_from(count).unwrap_or(0) };
            return list.into_iter().skip(skip).take(count).filter_map(|pid| i32::try_from(pid).ok()).collect();
        }
    }

    /// Ends every process in it.
    pub(super) fn terminate(&self) {
        // SAFETY: the job is open. What can't be ended ends when the job closes.
        unsafe { TerminateJobObject(self.0.as_raw_handle(), TERMINATED) };
    }

    /// It goes when nobody holds it any more, with what is left in it.
    pub fn remove(&self) {}

    pub(super) fn raw(&self) -> HANDLE {
        self.0.as_raw_handle()
    }
}

impl AsHandle for Group {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.0.as_handle()
    }
}

/// Whether such limits can be set on this machine: a job takes them all.
pub const fn limits_possible(_: &Limits) -> Result<()> {
    Ok(())
}

fn refused(key: &str, error: &io::Error) -> Error {
    Error::failed(format!("`{key}` cannot be met here: {error}")).hint("remove it")
}

/// What a job keeps its processes within.
fn extended(limits: &Limits, native: &Value) -> JOBOBJECT_EXTENDED_LIMIT_INFORMATION {
    let mut wanted = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    let basic = &mut wanted.BasicLimitInformation;
    basic.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if let Some(tasks) = limits.tasks {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
        basic.ActiveProcessLimit = u32::try_from(tasks).unwrap_or(u32::MAX);
    }
    if let Some(memory) = limits.memory {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
        wanted.JobMemoryLimit = usize::try_from(memory).unwrap_or(usize::MAX);
    }
    let processors = native.get("affinity").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64);
    let affinity = processors.filter(|number| *number < 64).fold(0_u64, |mask, number| mask | 1 << number);
    if affinity != 0 {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_AFFINITY;
        basic.Affinity = usize::try_from(affinity).unwrap_or(usize::MAX);
    }
    if native.get("allow_breakaway").and_then(Value::as_bool) == Some(true) {
        basic.LimitFlags |= JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    }
    wanted
}

/// Hundredths of a percent of all processors.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to 10000")]
fn cpu_rate(cores: f64) -> u32 {
    let all = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
    (cores / all * 10_000.0).round().clamp(1.0, 10_000.0) as u32
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_has_the_limits_that_are_given_and_no_others() {
        let none = extended(&Limits::default(), &Value::Null).BasicLimitInformation;
        assert_eq!(none.LimitFlags, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE);
        let limits = Limits { memory: Some(1 << 20), tasks: Some(7), ..Limits::default() };
        let all = extended(&limits, &json!({ "affinity": [0, 3], "allow_breakaway": true }));
        let basic = all.BasicLimitInformation;
        assert_eq!((all.JobMemoryLimit, basic.ActiveProcessLimit, basic.Affinity), (1 << 20, 7, 0b1001));
        for flag in [
            JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
            JOB_OBJECT_LIMIT_AFFINITY,
            JOB_OBJECT_LIMIT_BREAKAWAY_OK,
            JOB_OBJECT_LIMIT_JOB_MEMORY,
        ] {
            assert_ne!(basic.LimitFlags & flag, 0);
        }
        let stays = extended(&Limits::default(), &json!({ "affinity": [], "allow_breakaway": false }));
        assert_eq!(stays.BasicLimitInformation.LimitFlags, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE);
    }

    #[test]
    fn the_system_takes_them() {
        let native = json!({ "affinity": [0], "allow_breakaway": true });
        let limits = Limits { tasks: Some(100), ..Limits::default() };
        assert!(Group::make(&limits, &native, "").unwrap().is_some());
    }
}
