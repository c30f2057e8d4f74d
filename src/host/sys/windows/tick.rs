//! A short timer.

use std::io;
use std::time::Duration;

/// The timer.
#[derive(Debug)]
pub struct Tick {}

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
