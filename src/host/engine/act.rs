//! The machine's actions, carried out.

use std::rc::Rc;

use super::pump::Teller;
use super::{Engine, Id};
use crate::host::machine::{Action, Event};

impl Engine {
    pub(super) fn act(&mut self, id: &Id, action: Action) {
        match action {
            Action::AwaitDependencies => self.check_dependencies(id),
            Action::AskConditions => self.ask_conditions(id),
            Action::RunHooks(stage) => self.run_hooks(id, stage),
            Action::Abandon => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.abandon();
                }
            }
            Action::Spawn => {
                let event = match self.spawn(id) {
                    Ok(()) => Event::Spawned,
                    Err(error) => Event::SpawnFailed(error.to_string()),
                };
                self.queue.push_front((Rc::clone(id), event));
            }
            Action::WatchReady => self.watch_ready(id),
            Action::WatchHealth => self.watch_health(id),
            Action::Unwatch => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.unwatch();
                }
            }
            Action::StopCommand => self.stop_command(id),
            Action::Signal => self.signal_main(id),
            Action::SignalRest => self.signal_rest(id),
            Action::Kill => self.kill(id),
            Action::Reload => self.reload(id),
        }
    }

    pub(super) fn teller(&self, id: &Id) -> Teller {
        let run = self.units.get(id).map_or_else(|| "".into(), |unit| Rc::clone(&unit.invocation));
        Teller { id: Rc::clone(id), run, tx: self.tx.clone() }
    }

    pub(super) fn next_random(&mut self) -> u64 {
        let _ = self.roll();
        self.random
    }
}
