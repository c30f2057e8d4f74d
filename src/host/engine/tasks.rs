//! Schedules: when a task that is armed runs.
//!
//! `start` arms a task as systemd's does its timer: it is up while it waits for its next run. What is known of its runs is
//! in the state file, and for those that catch up after a downtime in a file of its own, which outlives the boot. A run that
//! is due while the one before still goes on is passed over, and said so.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::unit::Unit;
use super::{Engine, Id, Input, Options};
use crate::events::What;
use crate::host::machine::{Current, Event, Moment, Wanted};
use crate::host::schedule::{self, Runs};
use crate::host::{sys, wall};
use crate::service::{Kind, ScheduleWhen};
use crate::system::files;

/// What is said of a run that was passed over; the time stands in front.
const SKIPPED: &str = "was passed over: the run before it had not ended";

impl Engine {
    /// A unit went from one state to another: does its schedule begin or end?
    pub(super) fn follow_schedule(&mut self, id: &Id, before: Current) {
        let Some(unit) = self.units.get(id).filter(|unit| unit.service.kind == Kind::Task) else { return };
        let current = unit.state.current;
        if current == Current::Armed && before.at_rest() {
            self.arm(id);
        } else if current.at_rest() || unit.state.wanted == Wanted::Down {
            self.disarm(id);
        }
    }

    fn arm(&mut self, id: &Id) {
        let now = wall::now();
        let kept = self.kept_runs(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(plan) = &unit.service.schedule else { return };
        // What catches up counts from the last run, however long ago; all else from now on.
        let since = if plan.persistent { kept.since.unwrap_or(now) } else { now };
        unit.runs = Runs { since: Some(since), last: kept.last.or(unit.runs.last), ..Runs::default() };
        self.keep_runs(id);
        self.plan(id, now);
    }

    pub(super) fn disarm(&mut self, id: &Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.runs.next = None;
        if let Some(at) = unit.run_at.take() {
            self.runs_due.remove(&(at, Rc::clone(id)));
        }
    }

    /// Finds when a unit is due after `now`.
    fn plan(&mut self, id: &Id, now: Timestamp) {
        let roll = self.roll();
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(plan) = &unit.service.schedule else { return };
        unit.runs.next = schedule::next(plan, &unit.runs, now, &TimeZone::system(), roll);
        self.set_alarm(id);
    }

    /// Turns the time of the wall clock at which a unit is due into one of the loop's.
    fn set_alarm(&mut self, id: &Id) {
        let (now, at) = (wall::now(), sys::monotonic());
        let Some(unit) = self.units.get_mut(id) else { return };
        if let Some(before) = unit.run_at.take() {
            self.runs_due.remove(&(before, Rc::clone(id)));
        }
        if let Some(next) = unit.runs.next {
            let mut left = Duration::try_from(next.duration_since(now)).unwrap_or_default();
            if let Some((every, jitter)) = interval(unit) {
                // Further away only for a clock that was set back while nobody looked.
                left = left.min(every.saturating_add(jitter));
            }
            let due = at.saturating_add(left);
            unit.run_at = Some(due);
            self.runs_due.insert((due, Rc::clone(id)));
            self.follow_clock();
        }
        self.dirty = true;
    }

    /// Runs what is due.
    pub(super) fn run_tasks(&mut self, now: Moment) {
        while let Some((at, id)) = self.runs_due.first().cloned().filter(|(at, _)| *at <= now) {
            self.runs_due.remove(&(at, Rc::clone(&id)));
            let clock = wall::now();
            let Some(unit) = self.units.get_mut(&id) else { continue };
            unit.run_at = None;
            let Some(due) = unit.runs.next else { continue };
            if due > clock && !is_interval(unit) {
                // The clock was set back since.
                self.set_alarm(&id);
                continue;
            }
            if unit.state.current == Current::Armed {
                unit.runs.last = Some(clock);
                unit.runs.skipped = None;
                self.queue.push_back((Rc::clone(&id), Event::Due));
                self.keep_runs(&id);
                self.plan(&id, clock);
            } else {
                let said = format!("the run that was due at {due:.0} {SKIPPED}");
                unit.runs.skipped = Some(said.clone());
                // The rhythm goes on as if it had run.
                unit.runs.since = Some(due);
                if let Some(event) = self.event(&id, What::Skipped) {
                    self.happened(&id, event.because(said));
                }
                self.keep_runs(&id);
                self.plan(&id, clock);
            }
        }
    }

    /// The schedule of a unit is another one now.
    pub(super) fn schedule_changed(&mut self, id: &Id) {
        self.disarm(id);
        self.go_on_with_schedule(id);
    }

    /// Goes on with a schedule that an earlier supervisor of this boot, or a changed clock, leaves.
    pub(super) fn go_on_with_schedule(&mut self, id: &Id) {
        let now = wall::now();
        let Some(unit) = self.units.get(id) else { return };
        let Some(plan) = &unit.service.schedule else { return };
        if unit.service.kind != Kind::Task || unit.state.current.at_rest() || unit.state.wanted == Wanted::Down {
            return;
        }
        let missed = unit.runs.next.is_some_and(|next| next <= now);
        let calendar = matches!(plan.when, ScheduleWhen::Calendar(_));
        if unit.runs.next.is_none() || missed && calendar && !plan.persistent {
            self.plan(id, now);
        } else {
            self.set_alarm(id);
        }
    }

    /// The wall clock was set, or the machine slept: times of the calendar lie elsewhere now.
    pub(super) fn clock_was_set(&mut self) {
        let tasks: Vec<Id> = self.runs_due.iter().map(|(_, id)| Rc::clone(id)).collect();
        let now = wall::now();
        for id in tasks {
            let Some(unit) = self.units.get_mut(&id) else { continue };
            if is_interval(unit) {
                let left = unit.run_at.map(|at| at.saturating_sub(sys::monotonic()));
                unit.runs.next = left.and_then(|left| now.checked_add(left).ok());
            } else if unit.runs.next.is_some_and(|next| next <= now) {
                self.set_alarm(&id);
            } else {
                self.plan(&id, now);
            }
        }
        self.dirty = true;
    }

    /// None: they are not kept. A host of one service has no folder but its own.
    fn runs_file(&self, id: &Id) -> Option<PathBuf> {
        let Options { layout, runtime, serve, persist, .. } = &self.options;
        let file = if *serve {
            layout.on_disk(&layout.state.join("runs").join(&**id))
        } else {
            schedule::runs_in_folder(runtime)
        };
        persist.then_some(file)
    }

    fn kept_runs(&self, id: &Id) -> Runs {
        let text = self.runs_file(id).and_then(|file| files::read(&file).ok().flatten());
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Keeps them beyond this boot. A folder that can't be written is no reason not to run.
    fn keep_runs(&self, id: &Id) {
        let (Some(unit), Some(path)) = (self.units.get(id), self.runs_file(id)) else { return };
        if let Some(folder) = path.parent() {
            let _ = files::make_folders(folder, 0o700);
        }
        let kept = Runs { since: unit.runs.since, last: unit.runs.last, ..Runs::default() };
        let _ = files::replace(&path, &serde_json::to_vec(&kept).unwrap_or_default(), 0o600, None);
    }

    /// Waits for changes of the wall clock from the first alarm on.
    fn follow_clock(&mut self) {
        if self.clock.is_some() {
            return;
        }
        let tx = self.tx.clone();
        let task = tokio::task::spawn_local(async move {
            let changes = wall::Changes::new();
            loop {
                changes.next().await;
                if tx.send(Input::ClockSet).is_err() {
                    return;
                }
            }
        });
        self.clock = Some(task.abort_handle());
    }

    pub(super) fn forget_runs(&mut self, id: &Id) {
        self.disarm(id);
        if let Some(file) = self.runs_file(id) {
            let _ = files::remove(&file);
        }
    }
}

/// Its next run is so long after the last one, and not at a time of the clock.
fn is_interval(unit: &Unit) -> bool {
    interval(unit).is_some()
}

/// So long, and its jitter.
fn interval(unit: &Unit) -> Option<(Duration, Duration)> {
    let plan = unit.service.schedule.as_ref()?;
    match plan.when {
        ScheduleWhen::Every(every) => Some((every, plan.jitter)),
        ScheduleWhen::Calendar(_) => None,
    }
}
