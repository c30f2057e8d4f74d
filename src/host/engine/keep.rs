//! What the keeper holds for the next supervisor: each unit's pipes, and the sockets that services speak to.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::pipes::number_of;
use super::{Engine, Id, Input};
use crate::host::sys::{Keeper, Kept};

/// A keeper that ends sooner is not followed by another at once.
const SOON: Duration = Duration::from_secs(1);

/// The keeper, and what it had when it was found.
#[derive(Default)]
pub(super) struct Keeping {
    keeper: Option<Keeper>,
    since: Option<Instant>,
    kept: Vec<Kept>,
}

impl Keeping {
    /// Its process.
    pub(super) fn is(&self, pid: i32) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| keeper.pid() == pid)
    }

    pub(super) const fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_ref()
    }

    /// Nobody takes over what it had and nobody has asked for.
    pub(super) fn let_go(&mut self) {
        self.kept = Vec::new();
    }
}

/// What a unit's socket is held by.
fn key(id: &Id) -> u64 {
    number_of(id, "notify")
}

impl Engine {
    /// Has what a supervisor's death must not take along held by this keeper, which had that.
    pub fn keep_with(&mut self, keeper: Keeper, kept: Vec<Kept>) {
        self.keeping = Keeping { keeper: Some(keeper), since: Some(Instant::now()), kept };
    }

    /// Hears of the keeper's end.
    pub(super) fn watch_keeper(&self) {
        let Some(keeper) = self.keeping.keeper() else { return };
        let (pid, since, tx) = (keeper.pid(), self.keeping.since, self.tx.clone());
        let Ok(end) = keeper.end() else { return };
        tokio::task::spawn_local(async move {
            end.await;
            if let Some(rest) = since.and_then(|since| SOON.checked_sub(since.elapsed())) {
                tokio::time::sleep(rest).await;
            }
            let _ = tx.send(Input::KeeperGone(pid));
        });
    }

    /// The keeper with this process is gone: another comes in its place.
    pub(super) fn keeper_gone(&mut self, pid: i32) {
        if self.keeping.is(pid) {
            self.replace_keeper();
        }
    }

    /// It does not take what it is given. One that has only just begun is followed by another when its end is heard of.
    pub(super) fn keeper_fails(&mut self) {
        if self.keeping.since.is_some_and(|since| since.elapsed() > SOON) {
            self.replace_keeper();
        }
    }

    fn replace_keeper(&mut self) {
        let mut why = None;
        // The old one's link is closed before: one that lives and is only slow then sees that it is alone.
        self.keeping.keeper = None;
        self.keeping.since = Some(Instant::now());
        match Keeper::find_or_make(&self.options.runtime) {
            Ok((keeper, _)) => {
                for (id, unit) in &self.units {
                    let pipes = unit.pipes.iter().map(|pipe| keeper.hold_pipe(pipe.number(), pipe.child_end()));
                    let notify = unit.notify.iter().map(|socket| socket.kept_by(&keeper, key(id)));
                    why = why.or_else(|| pipes.chain(notify).find_map(Result::err));
                }
                self.keeping.keeper = Some(keeper);
                self.watch_keeper();
            }
            Err(error) => why = Some(error),
        }
        if let Some(why) = why {
            eprintln!("daemonctl host: what is in pipes would go with this process and its services: {why}");
        }
    }

    /// Has the keeper hold the pipes of a unit, before anybody writes to them.
    pub(super) fn keep_pipes(&mut self, id: &Id) {
        let (Some(keeper), Some(unit)) = (self.keeping.keeper(), self.units.get(id)) else { return };
        let held = |pipe: &Rc<super::pump::Pipe>| keeper.hold_pipe(pipe.number(), pipe.child_end()).is_ok();
        if !unit.pipes.iter().all(held) {
            self.keeper_fails();
        }
    }

    /// Has it hold the socket of a unit.
    pub(super) fn keep_socket(&mut self, id: &Id) {
        let (Some(keeper), Some(unit)) = (self.keeping.keeper(), self.units.get(id)) else { return };
        if unit.notify.as_ref().is_some_and(|socket| socket.kept_by(keeper, key(id)).is_err()) {
            self.keeper_fails();
        }
    }

    /// The socket that it had for a unit.
    pub(super) fn kept_socket(&mut self, id: &Id) -> Option<Kept> {
        let index = self.keeping.kept.iter().position(|kept| kept.key == key(id))?;
        Some(self.keeping.kept.swap_remove(index))
    }

    /// A unit is no more.
    pub(super) fn keep_no_more(&self, id: &Id, pipes: impl Iterator<Item = u64>) {
        if let Some(keeper) = self.keeping.keeper() {
            for key in pipes.chain([key(id)]) {
                // One that does not take it is followed by one that was never told of it.
                let _ = keeper.forget(key);
            }
        }
    }

    /// No supervisor is to come, or every service has ended: it is not needed any more.
    pub(super) fn dismiss_keeper(&mut self) {
        if let Some(keeper) = self.keeping.keeper.take() {
            keeper.dismiss(&self.options.runtime);
        }
    }
}
