//! Which service of several waits for which, and their results in the order that they were asked for.

use std::collections::BTreeMap;

use crate::backend::UnitResult;
use crate::error::Result;
use crate::report::Effect;
use crate::service::{Dependency, Service};

/// Another instance of the service that did not come up.
pub(super) fn rolling_failure(
    units: &[Service],
    unit: &Service,
    results: &BTreeMap<String, Result<Effect>>,
) -> Option<String> {
    let others = units.iter().filter(|other| other.name == unit.name).map(Service::id);
    others.into_iter().find(|other| results.get(other).is_some_and(Result::is_err))
}

/// Whether `unit` needs `other`.
pub(super) fn needs(unit: &Service, other: &Service) -> bool {
    names(&unit.requires, other)
}

/// Whether `unit` comes after `other`: the manager itself knows only the order of what needs something.
pub(super) fn follows(unit: &Service, other: &Service) -> bool {
    needs(unit, other) || names(&unit.after, other) || names(&unit.wants, other)
}

fn names(list: &[Dependency], other: &Service) -> bool {
    list.iter().any(|dependency| matches!(dependency, Dependency::Service(name) if *name == other.name))
}

pub(super) fn in_order(units: &[Service], mut results: BTreeMap<String, Result<Effect>>) -> Vec<UnitResult> {
    units.iter().filter_map(|unit| results.remove(&unit.id()).map(|result| (unit.id(), result))).collect()
}
