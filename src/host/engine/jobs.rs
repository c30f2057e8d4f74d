//! Requests that wait for units: start, stop, restart, reload.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::unit::Unit;
use super::{Ending, Engine, Id, Input};
use crate::exit::Exit;
use crate::host::control::{Answer, Ask, Trouble, Units};
use crate::host::machine::{Current, Event, Wanted};
use crate::host::sys;
use crate::report::Effect;
use crate::service::Kind;

/// A service without a sign of readiness counts as up when it has lived so long: one that dies at once did not start.
const SETTLE: Duration = Duration::from_millis(200);

/// Answers that wait for a slow client at most.
const BACKLOG: usize = 65_536;

/// A channel for the answers to one request.
pub(super) fn answers() -> (mpsc::Sender<Answer>, mpsc::Receiver<Answer>) {
    mpsc::channel(BACKLOG)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
}

pub(super) struct Job {
    verb: Verb,
    answer: mpsc::Sender<Answer>,
    /// Units without a result, and what was last told of each.
    pending: BTreeMap<Id, String>,
    /// Units that are to go down and have not been told yet.
    to_stop: BTreeSet<Id>,
    /// Units that are not down yet.
    stopping: BTreeSet<Id>,
    forced: bool,
    /// What the operator should know of a unit though it is done.
    notes: BTreeMap<Id, String>,
}

impl Engine {
    pub(super) fn ask(&mut self, ask: Ask, answer: mpsc::Sender<Answer>) {
        match ask {
            Ask::Hello => {
                let _ = answer.try_send(Answer::Hello {
                    pid: std::process::id(),
                    daemonctl: env!("CARGO_PKG_VERSION").to_owned(),
                    build: env!("DAEMONCTL_BUILD").to_owned(),
                });
            }
            Ask::Load => {
                if let Err(error) = self.load() {
                    let _ = answer.try_send(Answer::Refused(Trouble::from(&error)));
                }
                // Who has the answer reads a state that agrees with it.
                let _ = self.flush();
            }
            Ask::Start(units) => return self.open_job(Verb::Start, units, answer),
            Ask::Stop(units) => return self.open_job(Verb::Stop, units, answer),
            Ask::Restart(units) => return self.open_job(Verb::Restart, units, answer),
            Ask::Reload(units) => return self.open_job(Verb::Reload, units, answer),
            Ask::Reexec { program } => return self.become_another(program.into(), answer),
            Ask::Shutdown { stop: false } if !sys::SERVICES_OUTLIVE_HOST => {
                let why = "services do not outlive their supervisor on this operating system";
                let _ = answer.try_send(Answer::Refused(Trouble::new(why)));
            }
            Ask::Shutdown { stop: false } => self.ending = Some(Ending::Leave),
            Ask::Shutdown { stop: true } => {
                self.jobs.push(Job {
                    verb: Verb::Stop,
                    answer: answer.clone(),
                    pending: BTreeMap::new(),
                    to_stop: BTreeSet::new(),
                    stopping: self.units.keys().cloned().collect(),
                    forced: true,
                    notes: BTreeMap::new(),
                });
                self.end(Ending::Stopped);
                return;
            }
        }
        let _ = answer.try_send(Answer::Done);
    }

    fn open_job(&mut self, verb: Verb, units: Units, answer: mpsc::Sender<Answer>) {
        if let Some(ending) = self.ending {
            let _ = answer.try_send(Answer::Refused(Trouble::new(format!("the supervisor is ending ({ending:?})"))));
            let _ = answer.try_send(Answer::Done);
            return;
        }
        if units.units.iter().any(|name| !self.units.contains_key(name.as_str())) {
            // A spec that was written since is known without having been told.
            let _ = self.load();
        }
        let mut ids = Vec::new();
        for name in units.units {
            if let Some((id, _)) = self.units.get_key_value(name.as_str()) {
                ids.push(Rc::clone(id));
            } else {
                let mut trouble = Trouble::new(format!("`{name}` is not installed"));
                trouble.exit = Exit::NotInstalled.code();
                tell(&answer, &name, Err(trouble), crate::report::State::NotInstalled, None);
            }
        }
        let mut job = Job {
            verb,
            answer,
            pending: ids.iter().map(|id| (Rc::clone(id), String::new())).collect(),
            to_stop: BTreeSet::new(),
            stopping: BTreeSet::new(),
            forced: false,
            notes: BTreeMap::new(),
        };
        match verb {
            Verb::Start => self.open_start(&mut job, &ids),
            Verb::Stop | Verb::Restart => {
                for id in &ids {
                    let wanted = if verb == Verb::Stop { Wanted::Down } else { Wanted::Up };
                    self.intend(&mut job, id, wanted);
                    let Some(unit) = self.units.get(id) else { continue };
                    if verb == Verb::Stop && unit.state.current.at_rest() {
                        self.queue.push_back((Rc::clone(id), Event::Stop { forced: false }));
                        self.done(&mut job, id, Ok(Effect::Unchanged));
                    } else {
                        job.to_stop.insert(Rc::clone(id));
                        job.stopping.insert(Rc::clone(id));
                    }
                }
            }
            Verb::Reload => {
                for id in &ids {
                    let Some(unit) = self.units.get(id) else { continue };
                    if unit.service.reload.is_none() {
                        let mut trouble = Trouble::new(format!("`{id}` has no reload action"));
                        trouble.hints.push("give it a `[service.NAME.reload]` table, or use `restart`".to_owned());
                        self.done(&mut job, id, Err(trouble));
                    } else if unit.state.current == Current::Running {
                        self.queue.push_back((Rc::clone(id), Event::Reload));
                    } else {
                        let mut trouble = Trouble::new(format!("`{id}` is {}, not running", unit.state.word().name()));
                        trouble.exit = Exit::NotRunning.code();
                        self.done(&mut job, id, Err(trouble));
                    }
                }
            }
        }
        self.jobs.push(job);
        self.advance_jobs();
    }

    fn open_start(&mut self, job: &mut Job, ids: &[Id]) {
        for id in self.with_needed(ids) {
            let Some(unit) = self.units.get(&id) else { continue };
            if is_up(unit) && unit.state.wanted == Wanted::Up {
                if job.pending.contains_key(&id) {
                    self.intend(job, &id, Wanted::Up);
                    self.done(job, &id, Ok(Effect::Unchanged));
                }
                continue;
            }
            self.intend(job, &id, Wanted::Up);
            self.queue.push_back((Rc::clone(&id), Event::Start));
        }
    }

    /// Keeps what somebody wants, before it is done. Where that cannot be written (a full disk) it is done all the
    /// same, and said: a service must be stoppable above all then.
    fn intend(&self, job: &mut Job, id: &Id, wanted: Wanted) {
        if let Err(error) = self.keep_intent(id, wanted) {
            let word = if wanted == Wanted::Up { "up" } else { "down" };
            let note = format!("that `{id}` is wanted {word} could not be kept for the next supervisor: {error}");
            job.notes.insert(Rc::clone(id), note);
        }
    }

    fn done(&self, job: &mut Job, id: &Id, result: Result<Effect, Trouble>) {
        if job.pending.remove(id).is_some() {
            let state = self.units.get(id).map_or(crate::report::State::NotInstalled, |unit| unit.state.word());
            tell(&job.answer, id, result, state, job.notes.remove(id));
        }
    }

    /// All units go down, in reverse order; what is wanted stays what it was.
    pub(super) fn stop_everything(&mut self) {
        let all: BTreeSet<Id> = self.units.keys().cloned().collect();
        let (answer, _) = answers();
        self.jobs.push(Job {
            verb: Verb::Stop,
            answer,
            pending: BTreeMap::new(),
            to_stop: all.clone(),
            stopping: all,
            forced: true,
            notes: BTreeMap::new(),
        });
        self.advance_jobs();
    }

    pub(super) fn reloaded(&mut self, id: &Id, result: &Result<(), String>) {
        let mut jobs = std::mem::take(&mut self.jobs);
        for job in jobs.iter_mut().filter(|job| job.verb == Verb::Reload) {
            let running = self.units.get(id).is_some_and(|unit| unit.state.current == Current::Running);
            let result = match result {
                Ok(()) if running => Ok(Effect::Reloaded),
                Ok(()) => Err(Trouble::new(format!("`{id}` did not survive its reload"))),
                Err(why) => Err(Trouble::new(format!("`{id}` was not reloaded: {why}"))),
            };
            self.done(job, id, result);
        }
        jobs.append(&mut self.jobs);
        self.jobs = jobs;
        self.advance_jobs();
    }

    /// Who still waits for units is told to ask again.
    pub(super) fn dismiss_jobs(&mut self) {
        for job in self.jobs.drain(..) {
            let mut trouble = Trouble::new("the supervisor becomes another program just now");
            trouble.hints.push("its services live on; run the command again".to_owned());
            let _ = job.answer.try_send(Answer::Refused(trouble));
            let _ = job.answer.try_send(Answer::Done);
        }
    }

    /// Looks at each job: what has a result now, who may go down now, what is waited for.
    pub(super) fn advance_jobs(&mut self) {
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain_mut(|job| !self.advance(job));
        jobs.append(&mut self.jobs);
        self.jobs = jobs;
    }

    /// True: it is over.
    fn advance(&mut self, job: &mut Job) -> bool {
        job.stopping.retain(|id| self.units.get(id).is_some_and(|unit| !unit.state.current.at_rest()));
        if !job.to_stop.is_empty() {
            job.to_stop.retain(|id| self.units.contains_key(id));
            for id in self.may_stop(&job.stopping) {
                if job.to_stop.remove(&id) {
                    self.queue.push_back((id, Event::Stop { forced: job.forced }));
                }
            }
            job.to_stop.retain(|id| job.stopping.contains(id));
        }
        if job.verb == Verb::Restart && job.stopping.is_empty() && job.to_stop.is_empty() {
            job.verb = Verb::Start;
            let ids: Vec<Id> = job.pending.keys().cloned().collect();
            for id in self.with_needed(&ids) {
                let at_rest = self.units.get(&id).is_some_and(|unit| unit.state.current.at_rest());
                if at_rest {
                    if !job.pending.contains_key(&id) {
                        self.intend(job, &id, Wanted::Up);
                    }
                    self.queue.push_back((id, Event::Start));
                }
            }
            for told in job.pending.values_mut() {
                RESTARTED.clone_into(told);
            }
            return job.pending.is_empty() && self.close(job);
        }
        let ids: Vec<Id> = job.pending.keys().cloned().collect();
        let quiet = self.queue.is_empty();
        for id in ids.into_iter().filter(|_| quiet) {
            let result = match job.verb {
                Verb::Start => self.started(&id).map(|result| {
                    result.map(|()| {
                        let restarted = job.pending.get(&id).is_some_and(|told| told.starts_with(RESTARTED));
                        if restarted { Effect::Restarted } else { Effect::Started }
                    })
                }),
                Verb::Stop => self.stopped(&id, job),
                Verb::Reload => self.still_reloading(&id),
                Verb::Restart => None,
            };
            match result {
                Some(result) => self.done(job, &id, result),
                None => self.tell_waiting(job, &id),
            }
        }
        job.pending.is_empty() && job.stopping.is_empty() && self.close(job)
    }

    fn close(&mut self, job: &Job) -> bool {
        if self.dirty {
            // Who has the answer reads a state that agrees with it.
            let _ = self.flush();
        }
        let _ = job.answer.try_send(Answer::Done);
        true
    }

    fn started(&self, id: &Id) -> Option<Result<(), Trouble>> {
        let Some(unit) = self.units.get(id) else { return Some(Err(Trouble::new(format!("`{id}` was removed")))) };
        let state = &unit.state;
        match state.current {
            Current::Running => {
                let lived = state.started.map_or(SETTLE, |at| sys::monotonic().saturating_sub(at));
                if unit.service.ready.is_none() && unit.service.kind == Kind::Service && lived < SETTLE {
                    let tx = self.tx.clone();
                    tokio::task::spawn_local(async move {
                        tokio::time::sleep(SETTLE.saturating_sub(lived)).await;
                        let _ = tx.send(Input::Jobs);
                    });
                    return None;
                }
                Some(Ok(()))
            }
            Current::Completed | Current::Armed => Some(Ok(())),
            _ if is_up(unit) => Some(Ok(())),
            Current::Stopped if state.wanted == Wanted::Down => {
                Some(Err(Trouble::new(format!("`{id}` was stopped while it was starting"))))
            }
            Current::Stopped | Current::Failed | Current::GaveUp | Current::Backoff => {
                let mut trouble = Trouble::new(format!("`{id}` did not start: it {}", self.why(id)));
                if state.blame.as_deref().is_some_and(|blame| blame.starts_with("did not become ready")) {
                    trouble.exit = Exit::TimedOut.code();
                }
                if state.current == Current::Backoff {
                    trouble.hints.push(format!("it is tried again; `daemonctl stop {id}` ends that"));
                }
                Some(Err(trouble))
            }
            Current::Held => self.held_up_by(id).map(|other| {
                Err(Trouble::new(format!(
                    "`{id}` did not start: it is held up by `{other}`, which {}",
                    self.plight(&other)
                )))
            }),
            _ => None,
        }
    }

    /// Why a unit is not up, in words that follow "it".
    fn why(&self, id: &Id) -> String {
        let plight = self.plight(id);
        plight.strip_prefix("it ").map(str::to_owned).unwrap_or(plight)
    }

    fn stopped(&self, id: &Id, job: &Job) -> Option<Result<Effect, Trouble>> {
        let Some(unit) = self.units.get(id) else { return Some(Ok(Effect::Stopped)) };
        let state = &unit.state;
        if state.current.at_rest() {
            return Some(Ok(Effect::Stopped));
        }
        let told = !job.to_stop.contains(id);
        (told && state.wanted == Wanted::Up && state.current == Current::Running).then(|| {
            let _ = self.keep_intent(id, Wanted::Up);
            Err(Trouble::new(format!(
                "`{id}` was not stopped: its pre_stop hook called it off, or it was started again"
            )))
        })
    }

    fn still_reloading(&self, id: &Id) -> Option<Result<Effect, Trouble>> {
        let running = self.units.get(id).is_some_and(|unit| unit.state.current == Current::Running);
        (!running).then(|| Err(Trouble::new(format!("`{id}` did not survive its reload"))))
    }

    fn tell_waiting(&self, job: &mut Job, id: &Id) {
        let Some(unit) = self.units.get(id) else { return };
        let what = unit.waiting.clone().unwrap_or_else(|| {
            let last = unit.stop.last().filter(|_| unit.state.current.is_ending());
            match last {
                Some(sent) => format!("{} (sent {} to {:?})", unit.state.word().name(), sent.what, sent.to),
                None => unit.state.word().name().to_owned(),
            }
        });
        let Some(told) = job.pending.get_mut(id) else { return };
        let mark = if told.starts_with(RESTARTED) { RESTARTED } else { "" };
        let line = format!("{mark}{what}");
        if *told != line {
            *told = line;
            let _ = job.answer.try_send(Answer::Waiting { unit: id.to_string(), what });
        }
    }
}

/// Whether a start has nothing more to bring about. Of a task its schedule is what is up, not its run.
fn is_up(unit: &Unit) -> bool {
    match unit.state.current {
        Current::Running | Current::Completed | Current::Armed => true,
        current => unit.service.kind == Kind::Task && current.has_main() && !current.is_ending(),
    }
}

/// In front of what was told of a unit, once it was stopped for a restart.
const RESTARTED: &str = "\u{1}";

fn tell(
    answer: &mpsc::Sender<Answer>,
    unit: &str,
    result: Result<Effect, Trouble>,
    state: crate::report::State,
    note: Option<String>,
) {
    let (effect, error) = match result {
        Ok(effect) => (Some(effect), None),
        Err(error) => (None, Some(error)),
    };
    // A client that is gone, or does not listen, has no say in what happens.
    let _ = answer.try_send(Answer::Unit { unit: unit.to_owned(), effect, error, state, note });
}
