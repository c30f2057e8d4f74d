//! The signals that the supervisor itself gets.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{IoContext, Result};

pub(super) struct Signals {
    pub(super) child: Signal,
    pub(super) end: Signal,
    pub(super) interrupt: Signal,
    pub(super) hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self> {
        let catch = |kind| signal(kind).doing("catch signals");
        Ok(Self {
            child: catch(SignalKind::child())?,
            end: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }
}

pub(super) trait ReceiveUnit {
    async fn recv_unit(&mut self);
}

impl ReceiveUnit for Signal {
    async fn recv_unit(&mut self) {
        if self.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
