//! The table: which event means what in which state.

use std::time::Duration;

use super::{Action, After, Current, Ended, Event, Now, Policy, Stage, State, Wanted};
use crate::host::words;
use crate::service::{HealthAction, Kind};

pub(super) struct Step<'a> {
    pub(super) policy: &'a Policy,
    pub(super) state: State,
    pub(super) now: Now,
    pub(super) actions: Vec<Action>,
}

impl Step<'_> {
    pub(super) fn take(&mut self, event: Event) {
        use Current as C;
        match (event, self.state.current) {
            (Event::Stop { forced }, _) => self.stop(forced),
            (Event::Restart, C::Unready | C::PostStart | C::Running) => {
                self.fresh();
                self.state.after = After::Start;
                self.pre_stop();
            }
            (Event::Start | Event::Restart, _) => self.start(),
            (Event::Due, C::Armed) => {
                self.state.attempts = 0;
                self.state.recent.clear();
                self.held();
            }
            (Event::Reload, C::Running) => self.actions.push(Action::Reload),

            (Event::DependenciesReady, C::Held) => self.conditions(),
            (Event::DependencyFailed(why), C::Held) => {
                self.never(why.clone());
                self.rest(C::Failed, Some(why));
            }
            (Event::Conditions(Ok(())), C::Waiting) => self.pre_start(),
            (Event::Hooks(Stage::PreStart, Ok(())), C::PreStart) => self.spawn(),
            (Event::Conditions(Err(why)), C::Waiting)
            | (Event::Hooks(Stage::PreStart, Err(why)), C::PreStart)
            | (Event::SpawnFailed(why), C::Spawning) => {
                self.never(why);
                self.settle();
            }
            (Event::Spawned, C::Spawning) => self.spawned(),
            (Event::Ready, C::Unready) if self.policy.kind == Kind::Service => self.post_start(),
            (Event::Hooks(Stage::PostStart, Ok(())), C::PostStart) => self.run(),
            (Event::Hooks(Stage::PostStart, Err(why)), C::PostStart) => self.end_for(why, After::Policy),
            (Event::Unhealthy(why), C::Running) => match self.policy.health {
                HealthAction::Event => {}
                HealthAction::Restart => self.end_for(why, After::Retry),
                HealthAction::Stop => self.end_for(why, After::Rest),
            },

            (Event::Hooks(Stage::PreStop, Err(_)), C::PreStop) if !self.state.forced => {
                // The stop does not happen: the hook has the last word, and the caller is told.
                self.state.wanted = Wanted::Up;
                self.state.after = After::Policy;
                self.run();
            }
            (Event::Hooks(Stage::PreStop, _), C::PreStop) => self.ask(),
            (Event::StopCommandDone, C::Asking) => self.signal(),
            (Event::Exited(ended), current) if current.has_main() => self.exited(ended, current),
            (Event::Gone, C::Clearing) => self.post_stop(),
            (Event::Hooks(Stage::PostStop, Ok(())), C::PostStop) => self.settle(),
            (Event::Hooks(Stage::PostStop, Err(why)), C::PostStop) => match self.state.wanted {
                Wanted::Down => self.rest(C::Stopped, None),
                Wanted::Up => self.rest(C::Failed, Some(why)),
            },

            (Event::Deadline, _) if self.state.deadline.is_some_and(|at| at <= self.now.at) => self.deadline(),
            (Event::Resume { alive }, current) => self.resume(alive, current),
            // What comes too late for the state it was meant for changes nothing.
            _ => {}
        }
    }

    pub(super) fn enter(&mut self, current: Current, deadline: Option<Duration>) {
        self.state.current = current;
        self.state.since = self.now.at;
        self.state.deadline = deadline.map(|after| self.now.at.saturating_add(after));
    }

    pub(super) fn rest(&mut self, current: Current, reason: Option<String>) {
        self.state.reason = reason;
        // However a run of a task ended, the schedule goes on.
        let armed = self.policy.kind == Kind::Task && self.state.wanted == Wanted::Up;
        self.enter(if armed { Current::Armed } else { current }, None);
    }

    /// Somebody wants a start: what went wrong before is forgiven.
    pub(super) fn fresh(&mut self) {
        self.state.wanted = Wanted::Up;
        self.state.attempts = 0;
        self.state.recent.clear();
        self.state.restarts = 0;
        self.state.forced = false;
    }

    pub(super) fn start(&mut self) {
        let current = self.state.current;
        if current.at_rest() && self.policy.kind == Kind::Task {
            self.fresh();
            self.rest(Current::Armed, None);
        } else if current.at_rest() || current == Current::Backoff {
            self.fresh();
            self.held();
        } else if current.is_ending() {
            self.fresh();
            self.state.after = After::Start;
        } else {
            self.state.wanted = Wanted::Up;
        }
    }

    pub(super) fn stop(&mut self, forced: bool) {
        use Current as C;
        self.state.wanted = Wanted::Down;
        self.state.forced |= forced;
        match self.state.current {
            C::Stopped | C::Completed | C::Failed | C::GaveUp | C::Armed | C::Held | C::Backoff => {
                self.rest(C::Stopped, None);
            }
            C::Waiting | C::PreStart => {
                self.actions.push(Action::Abandon);
                self.rest(C::Stopped, None);
            }
            C::Unready | C::PostStart | C::Running => self.pre_stop(),
            C::Spawning | C::PreStop | C::Asking | C::Ending | C::Killing | C::Clearing | C::PostStop => {}
        }
    }

    pub(super) fn deadline(&mut self) {
        use Current as C;
        self.state.deadline = None;
        match self.state.current {
            C::Backoff => {
                self.state.restarts += 1;
                self.held();
            }
            C::Unready => {
                let within = words::duration(self.policy.ready.unwrap_or_default());
                let what = if self.policy.kind == Kind::Service { "become ready" } else { "end" };
                self.end_for(format!("did not {what} within {within}"), After::Policy);
            }
            C::Asking => {
                self.actions.push(Action::Abandon);
                self.signal();
            }
            C::Ending | C::Killing => self.kill(C::Killing),
            C::Clearing => self.kill(C::Clearing),
            _ => {}
        }
    }

    /// Everything that was under way in the last supervisor is begun again, except what lives in the service.
    pub(super) fn resume(&mut self, alive: bool, current: Current) {
        use Current as C;
        if current.has_main() && !alive {
            return self.exited(Ended::Unseen, current);
        }
        let action = match current {
            C::Held => Action::AwaitDependencies,
            C::Waiting => Action::AskConditions,
            C::PreStart => Action::RunHooks(Stage::PreStart),
            C::Spawning if alive => return self.spawned(),
            C::Spawning if self.state.wanted == Wanted::Down => return self.rest(C::Stopped, None),
            C::Spawning => Action::Spawn,
            C::Unready if self.policy.kind == Kind::Service => Action::WatchReady,
            C::Stopped | C::Completed | C::Failed | C::GaveUp | C::Armed | C::Backoff | C::Unready => return,
            C::PostStart => Action::RunHooks(Stage::PostStart),
            C::Running => Action::WatchHealth,
            C::PreStop => Action::RunHooks(Stage::PreStop),
            C::Asking => Action::StopCommand,
            C::Ending => Action::Signal,
            C::Killing | C::Clearing => Action::Kill,
            C::PostStop => Action::RunHooks(Stage::PostStop),
        };
        self.actions.push(action);
    }
}
