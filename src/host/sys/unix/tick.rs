//! A timer for less than the millisecond that the event loop's own timers can tell apart.

use std::io;
use std::time::Duration;

/// The timer.
#[derive(Debug)]
pub struct Tick {
    #[cfg(target_os = "linux")]
    timer: nix::sys::timerfd::TimerFd,
    #[cfg(target_os = "linux")]
    ready: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Tick {
    /// By `timerfd_create(2)`.
    pub fn new() -> io::Result<Self> {
        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        use std::os::fd::AsFd;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        let ready = super::watched::watched_fd(timer.as_fd().try_clone_to_owned()?)?;
        Ok(Self { timer, ready })
    }

    /// Returns so much later. For one task.
    pub async fn after(&self, time: Duration) -> io::Result<()> {
        use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};
        self.timer.set(Expiration::OneShot(time.into()), TimerSetTimeFlags::empty())?;
        loop {
            let mut guard = self.ready.readable().await?;
            guard.clear_ready();
            match self.timer.wait() {
                Ok(()) => return Ok(()),
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Tick {
    /// By the event loop's own timer, which counts in milliseconds.
    pub fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns so much later, or a little more.
    pub async fn after(&self, time: Duration) -> io::Result<()> {
        tokio::time::sleep(time).await;
        Ok(())
    }
}
