//! Time that no clock setting moves, and which boot it counts from.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since boot (while awake).
#[must_use]
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// Something that is different after each boot.
#[must_use]
pub fn boot_id() -> String {
    #[cfg(target_os = "linux")]
    if let Ok(id) = std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        return id.trim().to_owned();
    }
    sysinfo::System::boot_time().to_string()
}
