//! The loop itself: it waits for what happens, has the machine decide, and carries out what comes of it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{EMPTY, Ending, Engine, Id, Input, Outcome, again, hooks};
use crate::error::Result;
use crate::host::events::told::Cue;
use crate::host::machine::{self, Current, Event, Now};
use crate::host::{sys, wall};

/// So long after many events there is memory to be given back, and so long after a few.
const BURST: u32 = 200;
pub(super) const SPARED: Duration = Duration::from_millis(300);
const RESTED: Duration = Duration::from_secs(2);

/// Events are carried out for so long before the loop sees what else has happened: a thousand starts must not keep
/// everybody else waiting.
const TURN: Duration = Duration::from_millis(40);

/// The state is written at most so often, and less often in the middle of many events.
const FLUSH: Duration = Duration::from_millis(20);
const FLUSH_AMID: Duration = Duration::from_millis(250);

impl Engine {
    /// Runs until told to end. `ready` is called when requests are answered.
    pub async fn run(mut self, ready: impl FnOnce()) -> Result<Outcome> {
        let mut signals = sys::Signals::new()?;
        sys::unblock_signals();
        self.watch_keeper();
        if self.options.serve {
            // A spec that can't be read must not keep the others down; `load` tells of it.
            let _ = self.boot();
        } else {
            // After the signals are caught: a manager that hears READY=1 may send one at once.
            let given = std::mem::take(&mut self.given);
            self.begin(given);
        }
        self.keeping.let_go();
        self.pump();
        // Children that ended before we caught their signal.
        self.reap();
        self.flush()?;
        self.spared_at = Some(Instant::now() + SPARED);
        // Only now: who can connect reads a state file of ours.
        let mut server = if self.options.serve { Some(self.open_socket()?) } else { None };
        ready();
        loop {
            self.turn_ends = Some(Instant::now() + TURN);
            self.pump();
            self.tell_events();
            if self.is_over() {
                if self.may_retire(&mut server).await? {
                    break;
                }
                continue;
            }
            let pause = if self.queue.is_empty() { FLUSH } else { FLUSH_AMID };
            let flush_at = self.dirty.then(|| self.flushed + pause.max(self.flush_cost * 10));
            if flush_at.is_some_and(|at| at <= Instant::now()) {
                // A full runtime folder must not end the supervision; readers see an old state until it has room.
                let _ = self.flush();
                continue;
            }
            self.accounts.get_mut().clear();
            let now = sys::monotonic();
            let timers =
                [self.deadlines.first(), self.watches.due.first(), self.runs_due.first(), self.samples.first()];
            let due = timers.into_iter().flatten().map(|(at, _)| *at).chain(self.jobs_due()).min();
            let due = due.map(|at| at.saturating_sub(now));
            let flush = flush_at.map(|at| at.saturating_duration_since(Instant::now()));
            let empty = self.empty_since.map(|since| EMPTY.saturating_sub(since.elapsed()));
            let farewell = self.farewell.map(|since| hooks::FAREWELL.saturating_sub(since.elapsed()));
            let again = self.again.as_ref().map(again::Again::patience);
            if self.burst > 0 && self.spared_at.is_none() {
                self.spared_at = Some(Instant::now() + if self.burst < BURST { RESTED } else { SPARED });
            }
            let spared = self.spared_at.map(|at| at.saturating_duration_since(Instant::now()));
            let trees = self.trees_due().map(|at| at.saturating_duration_since(Instant::now()));
            let more = (!self.queue.is_empty()).then_some(Duration::ZERO);
            let due = due.into_iter().chain(more);
            let sleep = due.chain(trees).chain(spared).chain(flush).chain(empty).chain(farewell).chain(again).min();
            tokio::select! {
                biased;
                () = signals.child.next() => self.reap(),
                input = self.rx.recv() => {
                    if let Some(input) = input {
                        self.take(input);
                        // A burst is taken as one, so that the state is written once.
                        while let Ok(input) = self.rx.try_recv() {
                            self.take(input);
                        }
                    }
                }
                () = signals.end.next() => self.end(Ending::Stopped),
                () = signals.interrupt.next() => self.end(Ending::Stopped),
                () = signals.hangup.next() => self.hang_up(),
                () = nap(sleep) => self.fire(),
            }
        }
        let again = match (&server, self.again.take()) {
            (Some(server), Some(again)) => Some(self.leave_to(again, server).await?),
            _ => None,
        };
        if let Some(server) = server {
            server.close().await;
        }
        let outcome = self.finish()?;
        Ok(Outcome { again, ..outcome })
    }

    pub(super) fn fire(&mut self) {
        let now = sys::monotonic();
        while let Some((at, id)) = self.deadlines.first().cloned().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, Rc::clone(&id)));
            self.queue.push_back((id, Event::Deadline));
        }
        self.look_at_files(now);
        self.run_tasks(now);
        self.sample(now);
        self.advance_due_jobs(now);
        if self.spared_at.is_some_and(|at| at <= Instant::now()) {
            (self.spared_at, self.burst) = (None, 0);
            self.survey();
            if self.dirty {
                let _ = self.flush();
            }
            sys::give_back_memory();
        }
    }

    pub(super) fn take(&mut self, input: Input) {
        match input {
            Input::Event(id, event) => {
                if matches!(event, Event::Hooks(_, Err(_))) {
                    self.take_output(&id);
                }
                self.queue.push_back((id, event));
            }
            Input::Seen(id, run, seen) => {
                if self.units.get(&id).is_some_and(|unit| *unit.invocation == *run) {
                    self.seen(&id, seen);
                    self.touch(&id);
                }
            }
            Input::KeeperGone(pid) => self.keeper_gone(pid),
            Input::Request(ask, answer) => self.ask(ask, answer),
            Input::Recheck(id) => self.recheck(&id),
            Input::Jobs => self.advance_jobs(),
            Input::Delayed(id) => {
                let unit = self.units.get(&id);
                if unit.is_some_and(|unit| unit.state.wanted == machine::Wanted::Up && unit.state.current.at_rest()) {
                    self.queue.push_back((id, Event::Start));
                }
            }
            Input::Reloaded(id, result) => {
                if result.is_err() {
                    self.take_output(&id);
                }
                self.tell_reload(&id, &result);
                self.reloaded(&id, &result);
                self.change_done(&id, result);
            }
            Input::Touched(touches) => self.touched(touches),
            Input::ClockSet => self.clock_was_set(),
            Input::Checked(id, run, result) => {
                self.checked(&id, &run, result);
            }
            Input::LogTrouble(id, trouble) => self.log_trouble(&id, trouble),
            Input::Rotated(id) => self.archive(&id),
            Input::HookFailed(id, why) => self.hook_failed(&id, why),
        }
        self.pump();
    }

    /// Gives the events that wait to the machine, for as long as the turn lasts, and carries out what comes of them.
    pub(super) fn pump(&mut self) {
        self.pump_events();
        while self.trees_due().is_some_and(|at| at <= Instant::now()) {
            self.look_at_trees();
            self.pump_events();
        }
    }

    fn pump_events(&mut self) {
        let mut any = false;
        while self.turn_ends.is_none_or(|end| Instant::now() < end) {
            let Some((id, event)) = self.queue.pop_front() else { break };
            any = true;
            self.burst = self.burst.saturating_add(1);
            let roll = self.roll();
            let Some(unit) = self.units.get_mut(&id) else { continue };
            let now = Now { at: sys::monotonic(), roll };
            let before = (unit.state.current, unit.state.deadline);
            let restarts = unit.state.restarts;
            let cue = Cue::of(&event);
            let state = std::mem::replace(&mut unit.state, machine::State::new(machine::Wanted::Down, now.at));
            let (state, actions) = machine::step(&unit.service.policy(), state, event, now);
            unit.state = state;
            let after = (unit.state.current, unit.state.deadline);
            if before.1 != after.1 {
                if let Some(at) = before.1 {
                    self.deadlines.remove(&(at, Rc::clone(&id)));
                }
                if let Some(at) = after.1 {
                    self.deadlines.insert((at, Rc::clone(&id)));
                }
            }
            if before.0 != Current::Clearing && after.0 != Current::Clearing {
                self.clearing.remove(&id);
            }
            self.dirty = true;
            if before.0 != after.0 {
                unit.waiting = None;
                unit.reloading = false;
                // Before the actions: the first signal is the first line of the report.
                unit.stop_ladder(before.0);
            }
            self.tell_step(&id, cue, before.0);
            for action in actions {
                self.act(&id, action);
            }
            if before.0 != after.0 {
                self.changed(&id, before.0);
                self.follow_meter(&id, before.0, restarts);
            }
            self.touch(&id);
            if self.queue.is_empty() {
                self.advance_jobs();
            }
        }
        if any && !self.queue.is_empty() {
            // What keeps coming must not keep those waiting whose units it does not concern.
            self.advance_jobs();
        }
    }

    /// A unit went from one state to another.
    pub(super) fn changed(&mut self, id: &Id, before: Current) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let current = unit.state.current;
        if before == Current::Clearing && current != Current::Clearing {
            self.clearing.remove(id);
        }
        let dependents = self.dependents.get(&*unit.service.name).cloned().unwrap_or_default();
        self.tell_above(id);
        self.follow_watch(id, before);
        self.follow_schedule(id, before);
        for dependent in dependents {
            self.check_dependencies(&dependent);
        }
        if let Some(unit) = self.units.get_mut(id)
            && !before.at_rest()
            && (current.at_rest() || current == Current::Armed)
            && let Some(group) = unit.cgroup.take()
        {
            group.remove();
        }
        if current.at_rest() {
            self.remove_credentials(id);
        }
        if current.at_rest() && self.units.get(id).is_some_and(|unit| unit.leaving) {
            self.forget(id);
        }
    }

    pub(super) fn reap(&mut self) {
        while let Some((pid, ended)) = sys::reap() {
            if let Some(id) = self.mains.remove(&pid) {
                self.main_ended(&id, ended);
            } else {
                self.commands.ended(pid, ended);
            }
        }
        self.unlooked.extend(self.clearing.iter().cloned());
        self.pump();
    }

    /// What a command of its has written is in its log before anybody is told that the command failed: they are shown its
    /// last lines.
    fn take_output(&self, id: &Id) {
        if let Some(unit) = self.units.get(id) {
            unit.pipes.iter().for_each(|pipe| pipe.drain_whole());
        }
    }

    pub(super) fn main_ended(&mut self, id: &Id, ended: machine::Ended) {
        if let Some(unit) = self.units.get_mut(id) {
            unit.ended_at = Some(wall::now());
            for pipe in &unit.pipes {
                pipe.drain();
            }
        }
        self.queue.push_back((Rc::clone(id), Event::Exited(ended)));
    }
}

/// Sleeps so long; for ever without a time. What is due now does not wait for the timer's next millisecond, but for
/// whatever else has happened.
async fn nap(time: Option<Duration>) {
    match time {
        Some(Duration::ZERO) => tokio::task::yield_now().await,
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
