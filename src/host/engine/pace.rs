//! The pace at which busy pipes are read. Who reads each line as it comes wakes up for each line, and holds the pipe while
//! the next is to be written into it; who waits half a millisecond finds many.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::host::sys::Tick;

/// Between two reads of a pipe that has just been emptied.
pub(super) const PACE: Duration = Duration::from_micros(500);

/// One timer for all busy pipes.
pub(super) struct Pace {
    wanted: Notify,
    ticked: Notify,
}

impl Pace {
    /// Begins to keep time.
    pub(super) fn start() -> std::io::Result<Rc<Self>> {
        let tick = Tick::new()?;
        let pace = Rc::new(Self { wanted: Notify::new(), ticked: Notify::new() });
        let keeper = Rc::clone(&pace);
        tokio::task::spawn_local(async move {
            loop {
                keeper.wanted.notified().await;
                if tick.after(PACE).await.is_err() {
                    tokio::time::sleep(PACE).await;
                }
                keeper.ticked.notify_waiters();
            }
        });
        Ok(pace)
    }

    /// Returns at the next tick.
    pub(super) async fn next(&self) {
        let mut ticked = std::pin::pin!(self.ticked.notified());
        ticked.as_mut().enable();
        self.wanted.notify_one();
        ticked.await;
    }
}
