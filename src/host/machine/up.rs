//! The way up.

use super::step::Step;
use super::{Action, After, Current, Ended, Stage, Wanted};
use crate::service::Kind;

impl Step<'_> {
    pub(super) fn held(&mut self) {
        self.state.reason = None;
        if self.policy.depends {
            self.enter(Current::Held, None);
            self.actions.push(Action::AwaitDependencies);
        } else {
            self.conditions();
        }
    }

    pub(super) fn conditions(&mut self) {
        if self.policy.conditions {
            self.enter(Current::Waiting, None);
            self.actions.push(Action::AskConditions);
        } else {
            self.pre_start();
        }
    }

    pub(super) fn pre_start(&mut self) {
        if self.policy.has(Stage::PreStart) {
            self.enter(Current::PreStart, None);
            self.actions.push(Action::RunHooks(Stage::PreStart));
        } else {
            self.spawn();
        }
    }

    pub(super) fn spawn(&mut self) {
        self.state.after = After::Policy;
        self.enter(Current::Spawning, None);
        self.actions.push(Action::Spawn);
    }

    pub(super) fn spawned(&mut self) {
        self.state.started = Some(self.now.at);
        if self.state.wanted == Wanted::Down {
            self.ask();
        } else if self.policy.kind != Kind::Service {
            self.enter(Current::Unready, self.policy.ready);
        } else if self.policy.ready.is_some() {
            self.enter(Current::Unready, self.policy.ready);
            self.actions.push(Action::WatchReady);
        } else {
            self.post_start();
        }
    }

    pub(super) fn post_start(&mut self) {
        if self.policy.has(Stage::PostStart) {
            self.enter(Current::PostStart, None);
            self.actions.push(Action::RunHooks(Stage::PostStart));
        } else {
            self.run();
        }
    }

    pub(super) fn run(&mut self) {
        self.enter(Current::Running, None);
        self.actions.push(Action::WatchHealth);
    }

    pub(super) fn never(&mut self, why: String) {
        self.state.last = Some(Ended::Never(why));
        self.state.blame = None;
    }
}
