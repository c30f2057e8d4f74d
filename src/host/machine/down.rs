//! The way down: each rung has its time, and ends with nobody left.

use super::step::Step;
use super::{Action, After, Current, Ended, KILL_AGAIN, Stage};

impl Step<'_> {
    /// The way down that somebody asked for.
    pub(super) fn pre_stop(&mut self) {
        self.state.blame = None;
        self.actions.push(Action::Unwatch);
        match self.state.current {
            Current::PostStart => self.actions.push(Action::Abandon),
            Current::Running if self.policy.has(Stage::PreStop) => {
                self.enter(Current::PreStop, None);
                self.actions.push(Action::RunHooks(Stage::PreStop));
                return;
            }
            _ => {}
        }
        self.ask();
    }

    /// The way down because something is wrong with it.
    pub(super) fn end_for(&mut self, why: String, after: After) {
        self.actions.push(Action::Unwatch);
        self.state.blame = Some(why);
        self.state.after = after;
        self.ask();
    }

    pub(super) fn ask(&mut self) {
        if self.policy.stop_command {
            self.enter(Current::Asking, Some(self.policy.stop_timeout));
            self.actions.push(Action::StopCommand);
        } else {
            self.signal();
        }
    }

    pub(super) fn signal(&mut self) {
        self.enter(Current::Ending, Some(self.policy.stop_timeout));
        self.actions.push(Action::Signal);
    }

    pub(super) fn kill(&mut self, current: Current) {
        self.enter(current, Some(KILL_AGAIN));
        self.actions.push(Action::Kill);
    }

    pub(super) fn exited(&mut self, ended: Ended, current: Current) {
        self.state.last = Some(ended);
        if !current.is_ending() {
            self.state.blame = None;
        }
        let ran = self.state.started.take().map(|started| self.now.at.saturating_sub(started));
        if ran.is_some_and(|ran| ran >= self.policy.restart.reset_after) {
            self.state.attempts = 0;
        }
        self.actions.push(Action::Unwatch);
        if matches!(current, Current::PostStart | Current::PreStop | Current::Asking) {
            self.actions.push(Action::Abandon);
        }
        if current == Current::Ending {
            // Who outlives the main process is asked too, in the time that is left.
            let deadline = self.state.deadline;
            self.enter(Current::Clearing, None);
            self.state.deadline = deadline;
            self.actions.push(Action::SignalRest);
        } else {
            self.kill(Current::Clearing);
        }
    }

    pub(super) fn post_stop(&mut self) {
        if self.policy.has(Stage::PostStop) {
            self.enter(Current::PostStop, None);
            self.actions.push(Action::RunHooks(Stage::PostStop));
        } else {
            self.settle();
        }
    }
}
