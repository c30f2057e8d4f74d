//! What comes after an end: the restart policy, its delay and its limit.

use super::step::Step;
use super::{After, Current, Ended, Wanted};
use crate::host::words;
use crate::service::{Kind, RestartPolicy};

impl Step<'_> {
    /// No process is left: what now?
    pub(super) fn settle(&mut self) {
        if self.state.wanted == Wanted::Down {
            return self.rest(Current::Stopped, None);
        }
        match self.state.after {
            After::Start if self.policy.kind == Kind::Task => self.rest(Current::Armed, None),
            After::Start => self.held(),
            After::Retry => self.back_off(),
            After::Rest => self.rest(Current::Failed, self.state.blame.clone()),
            After::Policy => self.by_policy(),
        }
    }

    pub(super) fn by_policy(&mut self) {
        let restart = &self.policy.restart;
        let ended = self.state.last.as_ref();
        let success = self.state.blame.is_none() && ended.is_some_and(|ended| ended.succeeded(&restart.success_codes));
        if success && self.policy.kind != Kind::Service {
            return self.rest(Current::Completed, None);
        }
        let code = ended.and_then(Ended::code);
        if !success && code.is_some_and(|code| restart.prevent_codes.contains(&code)) {
            let reason = format!("{}, after which it is never started again", self.how_it_ended());
            return self.rest(Current::Failed, Some(reason));
        }
        let again = match restart.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => !success,
            RestartPolicy::OnSuccess => success,
            RestartPolicy::Never => false,
        };
        match (again, success) {
            (true, _) => self.back_off(),
            (false, true) => self.rest(Current::Stopped, None),
            (false, false) => self.rest(Current::Failed, Some(self.how_it_ended())),
        }
    }

    pub(super) fn back_off(&mut self) {
        let restart = &self.policy.restart;
        if let Some(limit) = restart.limit {
            let now = self.now.at;
            self.state.recent.retain(|at| now.saturating_sub(*at) < limit.within);
            if self.state.recent.len() >= limit.count as usize {
                let reason = format!(
                    "restarted {} times within {}; the last run {}",
                    limit.count,
                    words::duration(limit.within),
                    self.how_it_ended()
                );
                return self.rest(Current::GaveUp, Some(reason));
            }
            self.state.recent.push(now);
        }
        let delay = self.policy.delay(self.state.attempts, self.now.roll);
        self.state.attempts = self.state.attempts.saturating_add(1);
        self.enter(Current::Backoff, Some(delay));
    }

    pub(super) fn how_it_ended(&self) -> String {
        words::ended(self.state.last.as_ref(), self.state.blame.as_deref())
    }
}
