//! The wall clock, as the host sees it: for what people read and for calendars, never for how long something takes.
//!
//! Somebody may set it at any time. The clock of a machine is not a test's to set, so the host asks here, and a test
//! has this process see another time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::sys;

/// Seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);
static SET: Notify = Notify::const_new();

/// What time it is.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    match AHEAD.load(Ordering::Relaxed) {
        0 => now,
        ahead => now.checked_add(SignedDuration::from_secs(ahead)).unwrap_or(now),
    }
}

/// The same, as files have it.
#[must_use]
pub fn system_now() -> SystemTime {
    let (now, ahead) = (SystemTime::now(), AHEAD.load(Ordering::Relaxed));
    let distance = Duration::from_secs(ahead.unsigned_abs());
    if ahead < 0 { now.checked_sub(distance).unwrap_or(now) } else { now + distance }
}

/// Has this process see a time so many seconds from the machine's, as if somebody had set the clock.
#[doc(hidden)]
pub fn set_ahead(seconds: i64) {
    AHEAD.store(seconds, Ordering::Relaxed);
    SET.notify_one();
}

/// Tells when the clock was set.
pub(super) struct Changes(Option<sys::ClockChanges>);

impl Changes {
    /// Where the kernel does not tell, a changed clock is seen at the next alarm.
    pub(super) fn new() -> Self {
        Self(sys::ClockChanges::new().ok())
    }

    /// Returns after the next one.
    pub(super) async fn next(&self) {
        let kernel = async {
            match &self.0 {
                Some(changes) if changes.next().await.is_ok() => {}
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = kernel => {}
            () = SET.notified() => {}
        }
    }
}
