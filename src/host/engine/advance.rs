//! How requests come to their ends. Of a thousand units that a request waits for, only those are looked at of which
//! there is news.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::jobs::{Job, News, Verb, is_up};
use super::{Engine, Id};
use crate::exit::Exit;
use crate::host::control::{Answer, Trouble};
use crate::host::machine::{Current, Event, Moment, Wanted};
use crate::report::Effect;

/// In front of what was told of a unit, once it was stopped for a restart.
const RESTARTED: &str = "\u{1}";

impl Engine {
    /// Something about a unit is not what it was: jobs that wait for it look at it, and at those that it holds up.
    pub(super) fn touch(&mut self, id: &Id) {
        if self.jobs.is_empty() || !self.touched.insert(Rc::clone(id)) {
            return;
        }
        let Some(unit) = self.units.get(id) else { return };
        for other in self.dependents.get(&*unit.service.name).cloned().unwrap_or_default() {
            if self.units.get(&other).is_some_and(|unit| unit.state.current == Current::Held) {
                self.touch(&other);
            }
        }
    }

    /// When a job has something to do that no event brings.
    pub(super) fn jobs_due(&self) -> Option<Moment> {
        let tells = self.jobs.iter().filter_map(|job| job.tells_at).min();
        self.settling.first().map(|(at, _)| *at).into_iter().chain(tells).min()
    }

    /// Looks at what has become due.
    pub(super) fn advance_due_jobs(&mut self, now: Moment) {
        let mut due = false;
        while let Some((at, id)) = self.settling.first().cloned().filter(|(at, _)| *at <= now) {
            self.settling.remove(&(at, Rc::clone(&id)));
            self.touch(&id);
            due = true;
        }
        for job in self.jobs.iter_mut().filter(|job| job.tells_at.is_some_and(|at| at <= now)) {
            (job.tells_at, job.news) = (None, News::All);
            due = true;
        }
        if due {
            self.advance_jobs();
        }
    }

    /// Looks at each job: what has a result now, who may go down now, what is waited for.
    pub(super) fn advance_jobs(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain_mut(|job| {
            if let News::Some(news) = &mut job.news {
                news.extend(touched.iter().cloned());
            }
            !self.advance(job)
        });
        jobs.append(&mut self.jobs);
        self.jobs = jobs;
    }

    /// True: it is over.
    fn advance(&mut self, job: &mut Job) -> bool {
        let is_down = |id: &Id| self.units.get(id).is_none_or(|unit| unit.state.current.at_rest());
        let down: Vec<Id> = match &job.news {
            News::All => job.stopping.iter().filter(|id| is_down(id)).cloned().collect(),
            News::Some(news) => news.iter().filter(|id| job.stopping.contains(*id) && is_down(id)).cloned().collect(),
        };
        for id in &down {
            job.stopping.remove(id);
        }
        if !job.to_stop.is_empty() && (!down.is_empty() || matches!(job.news, News::All)) {
            job.to_stop.retain(|id| self.units.contains_key(id));
            for id in self.may_stop(&job.stopping) {
                if job.to_stop.remove(&id) {
                    self.queue.push_back((id, Event::Stop { forced: job.forced }));
                    job.begun_at = self.queue.end();
                }
            }
            job.to_stop.retain(|id| job.stopping.contains(id));
        }
        if job.verb == Verb::Restart && job.stopping.is_empty() && job.to_stop.is_empty() {
            job.verb = Verb::Start;
            let ids: Vec<Id> = job.pending.keys().cloned().collect();
            let mut all = self.with_needed(&ids);
            all.retain(|id| self.units.get(id).is_some_and(|unit| unit.state.current.at_rest()));
            let needed: Vec<Id> = all.iter().filter(|id| !job.pending.contains_key(*id)).cloned().collect();
            self.intend(job, &needed, Wanted::Up);
            self.queue.extend(all.into_iter().map(|id| (id, Event::Start)));
            for told in job.pending.values_mut() {
                RESTARTED.clone_into(told);
            }
            (job.news, job.begun_at) = (News::All, self.queue.end());
            return job.pending.is_empty() && self.close(job);
        }
        let mut ids = Vec::new();
        if self.queue.is_past(job.begun_at) {
            ids = match std::mem::replace(&mut job.news, News::Some(BTreeSet::new())) {
                News::All => job.pending.keys().cloned().collect(),
                News::Some(news) => news.into_iter().filter(|id| job.pending.contains_key(id)).collect(),
            };
        }
        for id in ids {
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
                None if job.tells_at.is_none() => self.tell_waiting(job, &id),
                None => {}
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

    fn started(&mut self, id: &Id) -> Option<Result<(), Trouble>> {
        let Some(unit) = self.units.get(id) else { return Some(Err(Trouble::new(format!("`{id}` was removed")))) };
        let state = &unit.state;
        match state.current {
            // It is reaped already: its end waits in the queue.
            Current::Running if !unit.far && unit.main.is_some_and(|main| !self.mains.contains_key(&main.pid)) => None,
            Current::Running => {
                if let Some(at) = unit.settles_at() {
                    // Where its program is still to be loaded, that is told.
                    if unit.loaded {
                        self.settling.insert((at, Rc::clone(id)));
                    }
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

    fn stopped(&mut self, id: &Id, job: &Job) -> Option<Result<Effect, Trouble>> {
        let Some(unit) = self.units.get(id) else { return Some(Ok(Effect::Stopped)) };
        let state = &unit.state;
        if state.current.at_rest() {
            return Some(Ok(Effect::Stopped));
        }
        let told = !job.to_stop.contains(id);
        (told && state.wanted == Wanted::Up && state.current == Current::Running).then(|| {
            let _ = self.keep_intents(&[Rc::clone(id)], Wanted::Up);
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
