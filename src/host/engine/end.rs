//! How the supervisor ends, and what it leaves behind.

use std::time::Instant;

use super::{EMPTY, Ending, Engine, Id, Outcome, hooks};
use crate::error::{IoContext, Result};
use crate::host::machine::{Current, Event};
use crate::host::sys;

impl Engine {
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        if ending == Ending::Stopped {
            self.tell_above_stopping();
            // What has not begun to start need not begin.
            self.call_off_starts(None);
            self.stop_everything();
        }
        self.pump();
    }

    pub(super) fn hang_up(&mut self) {
        if self.options.serve {
            // What is wrong with a spec is told to who asks by `load`.
            let _ = self.load();
        } else {
            let ids: Vec<Id> = self.units.keys().cloned().collect();
            self.queue.extend(ids.into_iter().map(|id| (id, Event::Reload)));
        }
        self.pump();
    }

    pub(super) fn is_over(&mut self) -> bool {
        if !self.is_done() {
            self.farewell = None;
            return false;
        }
        // The last events still go to who asked for them, for a while.
        let since = *self.farewell.get_or_insert_with(Instant::now);
        self.ending == Some(Ending::Leave) || self.events.all_delivered() || since.elapsed() >= hooks::FAREWELL
    }

    pub(super) fn is_done(&self) -> bool {
        if !self.queue.is_empty() {
            return false;
        }
        let at_rest = || self.units.values().all(|unit| unit.state.current.at_rest());
        match self.ending {
            Some(Ending::Leave) => true,
            Some(Ending::Again) => {
                self.jobs.is_empty() || self.again.as_ref().is_none_or(|again| again.patience().is_zero())
            }
            Some(Ending::Stopped) => at_rest() && self.jobs.is_empty(),
            None if self.empty_since.is_some_and(|since| since.elapsed() >= EMPTY) => self.jobs.is_empty(),
            None => self.options.end_at_rest && at_rest(),
        }
    }

    pub(super) fn finish(mut self) -> Result<Outcome> {
        self.tell_events();
        let well = !self.units.values().any(|unit| matches!(unit.state.current, Current::Failed | Current::GaveUp));
        let mut failed =
            self.units.values().filter(|unit| matches!(unit.state.current, Current::Failed | Current::GaveUp));
        let code = failed.find_map(|unit| unit.state.last.as_ref()?.code());
        let goes_on = matches!(self.ending, Some(Ending::Leave | Ending::Again));
        for unit in self.units.values_mut() {
            if goes_on {
                unit.pipes.iter().for_each(|pipe| pipe.drain_whole());
                continue;
            }
            unit.pipes.iter().for_each(|pipe| pipe.drain());
        }
        if self.options.serve && self.ending != Some(Ending::Again) {
            let _ = std::fs::remove_file(crate::host::control::socket(&self.options.layout));
        }
        let state = crate::host::state::in_folder(&self.options.runtime);
        if goes_on {
            self.flush()?;
        } else if self.options.pass_on && (!well || !sys::ABOVE_KEEPS_HISTORY) {
            // The manager above will know that its host ended, and not why: that is kept for who asks.
            self.flush()?;
            let ended = crate::host::state::ended_in_folder(&self.options.runtime);
            std::fs::rename(&state, &ended).doing(format_args!("write `{}`", ended.display()))?;
            if !well {
                self.say_why();
            }
        } else {
            // The next one begins by the intents, not where this one ended.
            let _ = std::fs::remove_file(state);
            let _ = std::fs::remove_file(crate::host::logs::handover::in_folder(&self.options.runtime));
        }
        if !goes_on {
            self.dismiss_keeper();
        }
        Ok(Outcome { well, code, again: None })
    }

    /// Tells the log of the manager above what the units came to.
    pub(super) fn say_why(&self) {
        for (id, unit) in &self.units {
            let record = unit.record();
            let last = record.last_exit().map(|last| last.reason);
            let why: Vec<String> = unit.state.reason.iter().cloned().chain(last).collect();
            eprintln!("daemonctl host: `{id}` {}: {}", unit.state.word().name(), why.join("; it "));
        }
    }
}
