//! How many webhooks are called at once: of one receiver's a few, so that one that hangs keeps nobody from another.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Semaphore;

/// Calls of all receivers together: each costs a connection.
const ALL: usize = 64;

/// Calls of one.
const OF_ONE: usize = 4;

pub(super) struct Calls {
    all: Semaphore,
    receivers: RefCell<HashMap<String, Rc<Semaphore>>>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { all: Semaphore::new(ALL), receivers: RefCell::default() }
    }

    /// Makes a call when it is its turn.
    pub(super) async fn make<T>(&self, receiver: &str, call: impl Future<Output = T>) -> Result<T, String> {
        let turns = Rc::clone(
            self.receivers.borrow_mut().entry(receiver.to_owned()).or_insert_with(|| Semaphore::new(OF_ONE).into()),
        );
        let turns = Holder { calls: self, receiver, turns: Some(turns) };
        let of_one = turns.turns.as_ref().ok_or("no turn")?;
        let _turn = of_one.acquire().await.map_err(|error| error.to_string())?;
        let _place = self.all.acquire().await.map_err(|error| error.to_string())?;
        Ok(call.await)
    }
}

/// Forgotten with the last who holds it.
struct Holder<'a> {
    calls: &'a Calls,
    receiver: &'a str,
    turns: Option<Rc<Semaphore>>,
}

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        drop(self.turns.take());
        let mut receivers = self.calls.receivers.borrow_mut();
        if receivers.get(self.receiver).is_some_and(|turns| Rc::strong_count(turns) == 1) {
            receivers.remove(self.receiver);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_hangs_keeps_nobody_from_others_and_leaves_nothing_behind() {
        let calls = Calls::new();
        {
            let mut hanging: Vec<_> =
                (0..100).map(|_| Box::pin(calls.make("http://slow", std::future::pending::<()>()))).collect();
            for call in &mut hanging {
                assert!(
                    std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context).is_pending()))
                        .await
                );
            }
            assert_eq!(calls.make("http://well", async { 7 }).await, Ok(7));
            assert_eq!(calls.receivers.borrow().len(), 1);
        }
        assert!(calls.receivers.borrow().is_empty());
    }
}
