//! Time that no clock setting moves, and which boot it counts from.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since boot (while awake).
#[must_use]
pub fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// What this thread has used of a processor.
#[must_use]
pub fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Tells when the wall clock was set, or the machine slept.
#[derive(Debug)]
pub struct ClockChanges {
    #[cfg(target_os = "linux")]
    timer: nix::sys::timerfd::TimerFd,
    #[cfg(target_os = "linux")]
    ready: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl ClockChanges {
    /// By a timer that never expires, and that the kernel calls off when the clock is set: `timerfd_create(2)`.
    pub fn new() -> std::io::Result<Self> {
        use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
        use std::os::fd::AsFd;
        let timer = TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let never = nix::sys::time::TimeSpec::new(libc::time_t::MAX, 0);
        timer.set(
            Expiration::OneShot(never),
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET,
        )?;
        let ready = super::watched::watched_fd(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Self { timer, ready })
    }

    /// Returns after the next one.
    pub async fn next(&self) -> std::io::Result<()> {
        loop {
            let mut guard = self.ready.readable().await?;
            match self.timer.wait() {
                Err(nix::errno::Errno::ECANCELED) | Ok(()) => return Ok(()),
                Err(nix::errno::Errno::EAGAIN) => guard.clear_ready(),
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl ClockChanges {
    /// There is no such event here.
    pub fn new() -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// There is none.
    pub async fn next(&self) -> std::io::Result<()> {
        std::future::pending().await
    }
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
