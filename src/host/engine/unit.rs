//! What the engine keeps of a unit.

use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::AbortHandle;

use super::files::Watched;
use super::its::Its;
use super::notify::Socket;
use super::pump::Pipe;
use crate::host::machine::{Current, Moment, State, Wanted};
use crate::host::schedule::Runs;
use crate::host::state::{LogRecord, Record};
use crate::host::sys::{self, Group, Identity};
use crate::host::threshold::Meter;
use crate::report::{Check, Sent};
use crate::service::Kind;

/// How long a service without a sign of readiness lives before it counts as up.
pub(super) const SETTLE: Duration = Duration::from_millis(200);

pub(super) struct Unit {
    pub(super) service: Its,
    pub(super) state: State,
    /// What somebody wanted of it last, in this boot.
    pub(super) intent: Option<Wanted>,
    pub(super) main: Option<Identity>,
    /// Its program has had the time that programs take here until they run.
    pub(super) loaded: bool,
    /// The mark of its present or last run.
    pub(super) invocation: Rc<str>,
    /// Not our child: an earlier supervisor started it.
    pub(super) far: bool,
    pub(super) pipes: Vec<Rc<Pipe>>,
    pub(super) notify: Option<Socket>,
    /// `WATCHDOG=1` came.
    pub(super) beat: Option<Rc<tokio::sync::Notify>>,
    /// Its control group, where it has limits.
    pub(super) cgroup: Option<Group>,
    /// Where it has thresholds: what was measured, and when it is looked at next.
    pub(super) meter: Option<Box<Meter>>,
    pub(super) sample_at: Option<Moment>,
    /// Its watched files, while they are.
    pub(super) watched: Option<Box<Watched>>,
    /// Of a task: its runs, and when the next is due by the loop's clock.
    pub(super) runs: Runs,
    pub(super) run_at: Option<Moment>,
    /// Tasks that look for readiness and health.
    pub(super) watchers: Vec<AbortHandle>,
    /// The conditions, hooks or stop command under way.
    pub(super) work: Option<AbortHandle>,
    /// Its rotated files are being archived.
    pub(super) archiving: Option<AbortHandle>,
    pub(super) waiting: Option<String>,
    /// It has said that it reads its configuration again, and not yet that it has.
    pub(super) reloading: bool,
    pub(super) healthy: Option<bool>,
    pub(super) checks: Vec<Check>,
    pub(super) says: Option<String>,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) stop: Vec<Sent>,
    pub(super) stop_began: Option<Instant>,
    /// Its spec has changed: the next start makes new pipes.
    pub(super) stale: bool,
    /// Another supervisor read its pipes: this one goes on in the middle of a line.
    pub(super) goes_on: bool,
    /// Where its event hooks are told, one for each.
    pub(super) hooks: Vec<super::hooks::Line>,
    /// It starts with the supervisor, as of [`Engine::enabled_at`](super::Engine::enabled_at).
    pub(super) enabled: bool,
    /// Its spec is gone: it is forgotten when it is at rest.
    pub(super) leaving: bool,
}

impl Unit {
    pub(super) fn new(service: Its, state: State) -> Self {
        Self {
            service,
            state,
            intent: None,
            main: None,
            loaded: true,
            invocation: "".into(),
            far: false,
            pipes: Vec::new(),
            notify: None,
            beat: None,
            cgroup: None,
            meter: None,
            sample_at: None,
            watched: None,
            runs: Runs::default(),
            run_at: None,
            watchers: Vec::new(),
            work: None,
            archiving: None,
            waiting: None,
            reloading: false,
            healthy: None,
            checks: Vec::new(),
            says: None,
            ended_at: None,
            stop: Vec::new(),
            stop_began: None,
            stale: false,
            hooks: Vec::new(),
            goes_on: false,
            enabled: false,
            leaving: false,
        }
    }

    /// When it will have lived for that long; None: it has, or there is nothing to wait for.
    pub(super) fn settles_at(&self) -> Option<Moment> {
        let at = self.state.started.filter(|_| self.settles()).map(|at| at + SETTLE);
        at.filter(|at| !self.loaded || *at > sys::monotonic())
    }

    /// It has no sign of readiness, and counts as up when it has lived for [`SETTLE`]: one that dies at once did not start.
    pub(super) fn settles(&self) -> bool {
        self.service.ready.is_none() && self.service.kind == Kind::Service
    }

    pub(super) fn record(&self) -> Record {
        Record {
            machine: self.state.clone(),
            has_ready: self.service.ready.is_some(),
            main: self.main,
            invocation: self.invocation.to_string(),
            adopted: self.far,
            waiting: self.waiting.clone(),
            healthy: self.healthy,
            checks: self.checks.clone(),
            says: self.says.clone(),
            files: self.watched.as_ref().map(|watched| watched.notes()).unwrap_or_default(),
            runs: (self.service.kind == Kind::Task).then(|| self.runs.clone()),
            ended_at: self.ended_at,
            logs: self.log_records(),
            stop: self.stop.clone(),
            meter: self.meter.clone(),
            enabled: self.enabled,
        }
    }

    fn log_records(&self) -> Vec<LogRecord> {
        let mut records: Vec<LogRecord> = self.pipes.iter().filter_map(|pipe| pipe.record()).collect();
        records.dedup_by(|one, other| one.path == other.path);
        records
    }

    pub(super) fn restore(&mut self, record: Record) {
        self.state = record.machine;
        self.main = record.main;
        self.invocation = record.invocation.into();
        self.waiting = record.waiting;
        self.healthy = record.healthy;
        self.checks = record.checks;
        self.says = record.says;
        self.runs = record.runs.unwrap_or_default();
        self.ended_at = record.ended_at;
        self.stop = record.stop;
        self.meter = record.meter;
        self.goes_on = true;
    }

    pub(super) fn unwatch(&mut self) {
        for watcher in self.watchers.drain(..) {
            watcher.abort();
        }
        for pipe in &self.pipes {
            pipe.stop_looking();
        }
    }

    pub(super) fn abandon(&mut self) {
        if let Some(work) = self.work.take() {
            work.abort();
        }
    }

    pub(super) fn set_check(&mut self, name: &str, what: String, ok: bool, message: Option<String>) {
        let check = Check { name: name.to_owned(), what, ok: Some(ok), message };
        match self.checks.iter_mut().find(|check| check.name == name) {
            Some(there) => *there = check,
            None => self.checks.push(check),
        }
    }

    /// Keeps the report of a stop: it begins with the way down and is kept until the next.
    pub(super) fn stop_ladder(&mut self, before: Current) {
        if self.state.current.is_ending() && !before.is_ending() {
            self.stop.clear();
            self.stop_began = Some(Instant::now());
        }
    }

    /// A rung of the stop ladder.
    pub(super) fn sent(&mut self, what: String, to: Vec<i32>) {
        if let Some(last) = self.stop.last_mut() {
            last.ignored_by = to.iter().copied().filter(|pid| last.to.contains(pid)).collect();
            if last.what == what && last.to == to {
                return;
            }
        }
        let began = *self.stop_began.get_or_insert_with(Instant::now);
        let after_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stop.push(Sent { after_ms, what, to, ignored_by: Vec::new() });
    }
}
