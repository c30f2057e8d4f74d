//! Samples of what services use, for those that have thresholds. Nothing is timed or read for the others.
//!
//! Samples that are due within the shortest pace of each other are taken together, so that many thresholds wake the loop
//! no more often than one.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Engine, Id};
use crate::events::{Event, What};
use crate::host::machine::{Current, Moment};
use crate::host::sys;
use crate::host::threshold::{Crossing, PACES};
use crate::host::words;

impl Engine {
    /// A unit went from one state to another.
    pub(super) fn follow_meter(&mut self, id: &Id, before: Current, restarts: u64) {
        let now = sys::monotonic();
        let Some(unit) = self.units.get_mut(id) else { return };
        let thresholds = &unit.service.thresholds;
        if thresholds.is_empty() {
            return self.forget_meter(id);
        }
        let (had, has) = (before.has_main(), unit.state.current.has_main());
        let meter = unit.meter.get_or_insert_default();
        let mut crossings = Vec::new();
        if unit.state.restarts > restarts {
            crossings.extend(meter.restarted(thresholds, now));
        }
        if had && !has {
            crossings.extend(meter.ended(thresholds));
        }
        let sampled = thresholds.memory.is_some() || thresholds.cpu.is_some();
        let next = (has && sampled).then(|| now + PACES[0]);
        self.tell_crossings(id, crossings);
        if had != has || self.units.get(id).is_some_and(|unit| unit.sample_at.is_none()) {
            self.sample_next(id, next);
        }
    }

    /// Goes on with what an earlier supervisor measured.
    pub(super) fn go_on_with_meter(&mut self, id: &Id) {
        self.follow_meter(id, Current::Stopped, u64::MAX);
    }

    pub(super) fn forget_meter(&mut self, id: &Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.meter = None;
        if let Some(at) = unit.sample_at.take() {
            self.samples.remove(&(at, Rc::clone(id)));
        }
    }

    /// The next look at a unit: its sample, or the end of a restart's hour.
    fn sample_next(&mut self, id: &Id, sample: Option<Moment>) {
        let Some(unit) = self.units.get_mut(id) else { return };
        if let Some(at) = unit.sample_at.take() {
            self.samples.remove(&(at, Rc::clone(id)));
        }
        let counts_until = unit.meter.as_ref().and_then(|meter| meter.counts_until());
        if let Some(at) = sample.into_iter().chain(counts_until).min() {
            unit.sample_at = Some(at);
            self.samples.insert((at, Rc::clone(id)));
        }
    }

    /// Takes the samples that are due, and those that would be due in a moment.
    pub(super) fn sample(&mut self, now: Moment) {
        if self.samples.first().is_none_or(|(at, _)| *at > now) {
            return;
        }
        let soon = now + PACES[0] / 2;
        let due: Vec<Id> = self.samples.iter().take_while(|(at, _)| *at <= soon).map(|(_, id)| Rc::clone(id)).collect();
        let mut strays = self.strays();
        for id in due {
            let Some(unit) = self.units.get_mut(&id) else { continue };
            let thresholds = unit.service.thresholds.clone();
            let Some(meter) = &mut unit.meter else { continue };
            let mut crossings: Vec<Crossing> = meter.count(&thresholds, now).into_iter().collect();
            let mut next = None;
            let sampled = thresholds.memory.is_some() || thresholds.cpu.is_some();
            if let Some(main) = unit.main.filter(|_| unit.state.current.has_main() && sampled) {
                let mut seeds = strays.remove(&id).unwrap_or_default();
                seeds.push(main.pid);
                crossings.extend(meter.take(&thresholds, sys::usage(seeds), now));
                next = Some(now + meter.pace(&thresholds));
            }
            self.tell_crossings(&id, crossings);
            self.sample_next(&id, next);
        }
    }

    /// Processes that came to us when their parents ended, by the unit that they are of.
    fn strays(&self) -> HashMap<Id, Vec<i32>> {
        let mut found: HashMap<Id, Vec<i32>> = HashMap::new();
        for stray in sys::strays(&|pid| self.is_known(pid)) {
            let by_mark = || {
                let mark = sys::mark_of(stray.pid)?;
                let (unit, _) = mark.strip_prefix(&self.mark)?.rsplit_once('/')?;
                self.units.get_key_value(unit).map(|(id, _)| Rc::clone(id))
            };
            if let Some(id) = self.mains.get(&stray.session).cloned().or_else(by_mark) {
                found.entry(id).or_default().push(stray.pid);
            }
        }
        found
    }

    fn tell_crossings(&mut self, id: &Id, crossings: Vec<Crossing>) {
        for crossing in crossings {
            let what = if crossing.over { What::OverThreshold } else { What::UnderThreshold };
            let Some(event) = self.event(id, what) else { return };
            self.dirty = true;
            self.happened(id, of(event, &crossing));
        }
    }
}

fn of(event: Event, crossing: &Crossing) -> Event {
    let mut event = event.because(words::crossed(crossing.over, &crossing.measured));
    event.measured = Some(crossing.measured);
    event
}
