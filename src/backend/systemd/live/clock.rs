//! systemd's times.

use nix::time::{ClockId, clock_gettime};

fn micros(clock: ClockId) -> Option<u64> {
    let now = clock_gettime(clock).ok()?;
    let seconds = u64::try_from(now.tv_sec()).ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(u64::try_from(now.tv_nsec()).ok()? / 1000)
}

/// A time of the monotonic clock as one of the wall clock, both in microseconds.
pub(super) fn wall_of_monotonic(at: u64) -> Option<u64> {
    let wall = micros(ClockId::CLOCK_REALTIME)?;
    let monotonic = micros(ClockId::CLOCK_MONOTONIC)?;
    Some(wall.saturating_add(at).saturating_sub(monotonic))
}

/// Microseconds since 1970 in words of RFC 3339.
pub(super) fn rfc3339(micros: u64) -> Option<String> {
    let micros = i64::try_from(micros).ok()?;
    jiff::Timestamp::from_microsecond(micros).ok().map(|time| time.to_string())
}
