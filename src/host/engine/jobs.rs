//! Requests that wait for units: start, stop, restart, reload. `advance` is how they come to their ends.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::unit::Unit;
use super::{Ending, Engine, Id};
use crate::backend::without_reload;
use crate::exit::Exit;
use crate::host::control::{Answer, Ask, Trouble, Units};
use crate::host::machine::{Current, Event, Moment, Wanted};
use crate::host::sys;
use crate::report::Effect;
use crate::service::Kind;

/// For so long nobody is told what is waited for: most of it has come by then.
const QUIET: Duration = Duration::from_millis(100);

/// Answers that wait for a slow client at most.
const BACKLOG: usize = 65_536;

/// A channel for the answers to one request.
pub(super) fn answers() -> (mpsc::Sender<Answer>, mpsc::Receiver<Answer>) {
    mpsc::channel(BACKLOG)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
}

pub(super) struct Job {
    pub(super) verb: Verb,
    pub(super) answer: mpsc::Sender<Answer>,
    /// Units without a result, and what was last told of each.
    pub(super) pending: BTreeMap<Id, String>,
    /// Units that are to go down and have not been told yet.
    pub(super) to_stop: BTreeSet<Id>,
    /// Units that are not down yet.
    pub(super) stopping: BTreeSet<Id>,
    pub(super) forced: bool,
    /// What the operator should know of a unit though it is done.
    pub(super) notes: BTreeMap<Id, String>,
    /// What it asked for has been begun when the queue is past that place.
    pub(super) begun_at: u64,
    /// Which units are to be looked at.
    pub(super) news: News,
    /// When it is told what is waited for; None: it has been, and news are told as they come.
    pub(super) tells_at: Option<Moment>,
}

impl Job {
    fn new(verb: Verb, answer: mpsc::Sender<Answer>) -> Self {
        Self {
            verb,
            answer,
            pending: BTreeMap::new(),
            to_stop: BTreeSet::new(),
            stopping: BTreeSet::new(),
            forced: false,
            notes: BTreeMap::new(),
            begun_at: 0,
            news: News::All,
            tells_at: Some(sys::monotonic() + QUIET),
        }
    }
}

/// Units of which a job has not seen yet what they came to.
pub(super) enum News {
    All,
    Some(BTreeSet<Id>),
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
                let stopping = self.units.keys().cloned().collect();
                self.jobs.push(Job { stopping, forced: true, ..Job::new(Verb::Stop, answer) });
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
        let pending = ids.iter().map(|id| (Rc::clone(id), String::new())).collect();
        let mut job = Job { pending, ..Job::new(verb, answer) };
        match verb {
            Verb::Start => self.open_start(&mut job, &ids),
            Verb::Stop | Verb::Restart => {
                self.call_off_starts(Some(&ids.iter().cloned().collect()));
                let wanted = if verb == Verb::Stop { Wanted::Down } else { Wanted::Up };
                self.intend(&mut job, &ids, wanted);
                for id in &ids {
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
                        let trouble = Trouble::from(&without_reload(&unit.service));
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
        job.begun_at = self.queue.end();
        self.jobs.push(job);
        self.advance_jobs();
    }

    /// Starts that have not begun never will; who waits for them is told.
    pub(super) fn call_off_starts(&mut self, of: Option<&BTreeSet<Id>>) {
        for id in self.queue.call_off_starts(of) {
            self.touch(&id);
        }
    }

    fn open_start(&mut self, job: &mut Job, ids: &[Id]) {
        let mut all = self.with_needed(ids);
        let is_up = |unit: &Unit| is_up(unit) && unit.state.wanted == Wanted::Up;
        all.retain(|id| self.units.get(id).is_some_and(|unit| job.pending.contains_key(id) || !is_up(unit)));
        self.intend(job, &all, Wanted::Up);
        for id in all {
            // One that was started a moment ago, as at the supervisor's own start, has not shown yet that it stays up.
            let settled = |unit: &Unit| unit.state.current != Current::Running || unit.settles_at().is_none();
            if self.units.get(&id).is_some_and(|unit| is_up(unit) && settled(unit)) {
                self.done(job, &id, Ok(Effect::Unchanged));
            } else {
                self.queue.push_back((id, Event::Start));
            }
        }
    }

    /// Keeps what somebody wants, before it is done. Where that cannot be written (a full disk) it is done all the
    /// same, and said: a service must be stoppable above all then.
    pub(super) fn intend(&mut self, job: &mut Job, ids: &[Id], wanted: Wanted) {
        if let Err(error) = self.keep_intents(ids, wanted) {
            let word = if wanted == Wanted::Up { "up" } else { "down" };
            for id in ids {
                let note = format!("that `{id}` is wanted {word} could not be kept for the next supervisor: {error}");
                job.notes.insert(Rc::clone(id), note);
            }
        }
    }

    pub(super) fn done(&self, job: &mut Job, id: &Id, result: Result<Effect, Trouble>) {
        if job.pending.remove(id).is_some() {
            let state = self.units.get(id).map_or(crate::report::State::NotInstalled, |unit| unit.state.word());
            tell(&job.answer, id, result, state, job.notes.remove(id));
        }
    }

    /// All units go down, in reverse order; what is wanted stays what it was.
    pub(super) fn stop_everything(&mut self) {
        let all: BTreeSet<Id> = self.units.keys().cloned().collect();
        let (answer, _) = answers();
        self.jobs.push(Job { to_stop: all.clone(), stopping: all, forced: true, ..Job::new(Verb::Stop, answer) });
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
}

/// Whether a start has nothing more to bring about. Of a task its schedule is what is up, not its run.
pub(super) fn is_up(unit: &Unit) -> bool {
    match unit.state.current {
        Current::Running | Current::Completed | Current::Armed => true,
        current => unit.service.kind == Kind::Task && current.has_main() && !current.is_ending(),
    }
}

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
