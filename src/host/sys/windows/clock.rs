//! Time that no clock setting moves, and which boot it counts from.

use std::time::Duration;

use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::WindowsProgramming::SYSTEM_TIMEOFDAY_INFORMATION;

use super::handle::size_of_it;

/// Time since boot, the same for each process.
#[must_use]
pub fn monotonic() -> Duration {
    let (mut count, mut frequency) = (0, 0);
    // SAFETY: both pointers are to living integers.
    unsafe {
        QueryPerformanceCounter(&raw mut count);
        QueryPerformanceFrequency(&raw mut frequency);
    }
    let (count, frequency) = (count.unsigned_abs(), frequency.unsigned_abs().max(1));
    let nanos = u128::from(count % frequency) * 1_000_000_000 / u128::from(frequency);
    Duration::new(count / frequency, u32::try_from(nanos).unwrap_or(0))
}

/// What this thread has used of a processor, or more: all time that has passed.
#[must_use]
pub fn processor_time() -> Duration {
    monotonic()
}

/// Tells when the wall clock was set.
#[derive(Debug)]
pub struct ClockChanges {}

impl ClockChanges {
    /// Only windows are told of it here: a changed clock is seen at the next alarm.
    pub fn new() -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// There is none.
    pub async fn next(&self) -> std::io::Result<()> {
        std::future::pending().await
    }
}

/// `SystemTimeOfDayInformation` of `NtQuerySystemInformation`.
const TIME_OF_DAY: i32 = 3;

/// Something that is different after each boot: when it was.
#[must_use]
pub fn boot_id() -> String {
    #[link(name = "ntdll")]
    unsafe extern "system" {
        fn NtQuerySystemInformation(class: i32, out: *mut std::ffi::c_void, length: u32, told: *mut u32) -> i32;
    }
    let mut told = SYSTEM_TIMEOFDAY_INFORMATION { Reserved1: [0; 48] };
    let length = size_of_it::<SYSTEM_TIMEOFDAY_INFORMATION>();
    let mut written = 0;
    // SAFETY: the buffer is a living structure of the class that is asked for, and of that length.
    let status = unsafe { NtQuerySystemInformation(TIME_OF_DAY, (&raw mut told).cast(), length, &raw mut written) };
    // Its first field is the time of boot. Seconds, as a setting of the clock may move it by less.
    let first = told.Reserved1.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
    if status == 0 && first != 0 { (first / 10_000_000).to_string() } else { sysinfo::System::boot_time().to_string() }
}
