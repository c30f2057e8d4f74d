//! What the supervisor itself is told: that a child ended, and that it is to end or to read its files again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{IoContext, Result};

/// The signals of the supervisor.
#[derive(Debug)]
pub struct Signals {
    /// A child has ended.
    pub child: Told,
    /// End, with all services.
    pub end: Told,
    /// The same, from a keyboard.
    pub interrupt: Told,
    /// Read the files again.
    pub hangup: Told,
}

/// One of them.
#[derive(Debug)]
pub struct Told(Signal);

impl Signals {
    /// Catches them from now on.
    pub fn new() -> Result<Self> {
        let catch = |kind| signal(kind).map(Told).doing("catch signals");
        Ok(Self {
            child: catch(SignalKind::child())?,
            end: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }
}

impl Told {
    /// Returns after the next one.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
