//! Order: who waits for whom, on the way up and on the way down.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::rc::Rc;

use super::{Engine, Id};
use crate::host::machine::{Current, Event, Wanted};
use crate::host::words;
use crate::service::{Dependency, Service};

/// The names of the services that a service waits for.
fn names(list: &[Dependency]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(|dependency| match dependency {
        Dependency::Service(name) => Some(name.as_str()),
        // The backend refuses what another manager owns.
        Dependency::Foreign(_) => None,
    })
}

fn all_names(service: &Service) -> impl Iterator<Item = &str> {
    names(&service.after).chain(names(&service.requires)).chain(names(&service.wants))
}

impl Engine {
    pub(super) fn index_dependents(&mut self) {
        let mut index: HashMap<String, Vec<Id>> = HashMap::new();
        for (id, unit) in &self.units {
            for name in all_names(&unit.service).collect::<BTreeSet<_>>() {
                index.entry(name.to_owned()).or_default().push(Rc::clone(id));
            }
        }
        self.dependents = index;
    }

    /// The units of a service: their names begin with its own.
    fn units_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Id, &'a super::Unit)> {
        let from = (Bound::Included(name), Bound::Unbounded);
        let range = self.units.range::<str, _>(from).take_while(move |(id, _)| id.starts_with(name));
        range.filter(move |(_, unit)| &*unit.service.name == name).map(|(id, unit)| (id, &**unit))
    }

    /// A held unit: may it go on now?
    pub(super) fn check_dependencies(&mut self, id: &Id) {
        let Some(unit) = self.units.get(id).filter(|unit| unit.state.current == Current::Held) else { return };
        match self.outlook(&unit.service) {
            Ok(None) => self.queue.push_back((Rc::clone(id), Event::DependenciesReady)),
            Ok(waiting) => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.waiting = waiting;
                }
                self.touch(id);
            }
            Err(why) => self.queue.push_back((Rc::clone(id), Event::DependencyFailed(why))),
        }
    }

    /// What a service still waits for; an error: what it requires is not coming up.
    fn outlook(&self, service: &Service) -> Result<Option<String>, String> {
        let required: BTreeSet<&str> = names(&service.requires).collect();
        let mut waiting = None;
        for name in all_names(service).collect::<BTreeSet<_>>() {
            let must = required.contains(name);
            let mut found = false;
            for (other, dependency) in self.units_of(name) {
                found = true;
                match dependency.state.current {
                    Current::Running | Current::Completed | Current::Armed => {}
                    current if current.at_rest() && must => {
                        return Err(format!("it requires `{other}`, which {}", self.plight(other)));
                    }
                    current if current.at_rest() => {}
                    Current::Backoff if !must => {}
                    _ => waiting = Some(format!("waits for `{other}`")),
                }
            }
            if !found && must {
                return Err(format!("it requires `{name}`, which is not installed"));
            }
        }
        Ok(waiting)
    }

    /// Why a unit is not up, in words that follow "which".
    pub(super) fn plight(&self, id: &Id) -> String {
        let Some(unit) = self.units.get(id) else { return "is not installed".to_owned() };
        match (unit.state.current, &unit.state.reason) {
            (Current::Failed, Some(reason)) => reason.clone(),
            (Current::GaveUp, Some(reason)) => format!("gave up: {reason}"),
            (Current::Stopped, _) if unit.state.wanted == Wanted::Down => "is stopped".to_owned(),
            _ => words::ended(unit.state.last.as_ref(), unit.state.blame.as_deref()),
        }
    }

    /// A required service of a held unit that is not coming up for now.
    pub(super) fn held_up_by(&self, id: &Id) -> Option<Id> {
        let unit = self.units.get(id).filter(|unit| unit.state.current == Current::Held)?;
        names(&unit.service.requires)
            .flat_map(|name| self.units_of(name))
            .find(|(other, dependency)| {
                dependency.state.current == Current::Backoff || self.held_up_by(other).is_some()
            })
            .map(|(other, _)| Rc::clone(other))
    }

    /// These units with all that they require or want, in the order in which they start.
    pub(super) fn with_needed(&self, ids: &[Id]) -> Vec<Id> {
        let mut all: BTreeSet<Id> = BTreeSet::new();
        let mut new: Vec<Id> = ids.to_vec();
        while let Some(id) = new.pop() {
            let Some(unit) = self.units.get(&id) else { continue };
            if all.insert(id) {
                let needed = names(&unit.service.requires).chain(names(&unit.service.wants));
                new.extend(needed.flat_map(|name| self.units_of(name)).map(|(other, _)| Rc::clone(other)));
            }
        }
        self.in_order(&all)
    }

    /// These units, each behind those that it waits for.
    pub(super) fn in_order(&self, ids: &BTreeSet<Id>) -> Vec<Id> {
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for id in ids {
            self.put_behind(id, ids, &mut seen, &mut order);
        }
        order
    }

    fn put_behind(&self, id: &Id, ids: &BTreeSet<Id>, seen: &mut BTreeSet<Id>, order: &mut Vec<Id>) {
        if !ids.contains(id) || !seen.insert(Rc::clone(id)) {
            return;
        }
        let Some(unit) = self.units.get(id) else { return };
        for (other, _) in all_names(&unit.service).flat_map(|name| self.units_of(name)) {
            self.put_behind(other, ids, seen, order);
        }
        order.push(Rc::clone(id));
    }

    /// Those of `pending` that nobody else in `pending` depends on: they may go down now.
    pub(super) fn may_stop(&self, pending: &BTreeSet<Id>) -> Vec<Id> {
        let is_needed = |id: &Id| {
            let Some(unit) = self.units.get(id) else { return false };
            self.dependents
                .get(&*unit.service.name)
                .is_some_and(|others| others.iter().any(|other| other != id && pending.contains(other)))
        };
        pending.iter().filter(|id| !is_needed(id)).cloned().collect()
    }
}
