//! A restart of a service's instances, one after the other: each is up and ready before the next goes down, and one
//! that does not come up leaves the others as they are.
//!
//! Services without instances, and one instance of each of the others, go together in the first round. Above the
//! backends, so that it is the same on each.

use std::collections::BTreeMap;

use crate::backend::{Deadline, Manager, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::report::Effect;
use crate::service::{Kind, Service};

/// Restarts the units; the results come in their order.
pub fn restart(
    manager: &mut dyn Manager,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    in_rounds(units, |round| {
        if progress.interrupted() {
            return Err("the restart was interrupted".to_owned());
        }
        if deadline.passed() {
            return Err("the time that was given had passed".to_owned());
        }
        Ok(manager.restart(round, deadline, progress))
    })
}

/// Restarts round by round; an error of `restart` says why there is no further round.
fn in_rounds(
    units: &[Service],
    mut restart: impl FnMut(&[Service]) -> Result<Vec<UnitResult>, String>,
) -> Vec<UnitResult> {
    let mut results: BTreeMap<String, Result<Effect>> = BTreeMap::new();
    // Why the instances of a service that are still to come are left alone.
    let mut held: BTreeMap<&str, String> = BTreeMap::new();
    for (index, round) in rounds(units).into_iter().enumerate() {
        let (now, left): (Vec<&Service>, Vec<&Service>) =
            round.into_iter().partition(|unit| !held.contains_key(unit.name.as_str()));
        for unit in left {
            let why = held.get(unit.name.as_str()).map_or("", String::as_str);
            results.insert(unit.id(), Err(untouched(unit, why)));
        }
        if now.is_empty() {
            continue;
        }
        let round: Vec<Service> = now.iter().map(|unit| (*unit).clone()).collect();
        match restart(&round) {
            Ok(done) => {
                for (id, result) in done {
                    if let (Err(_), Some(unit)) = (&result, now.iter().find(|unit| unit.id() == id)) {
                        held.insert(&unit.name, format!("`{id}` did not come up"));
                    }
                    results.insert(id, result);
                }
            }
            Err(why) if index == 0 => {
                results.extend(now.iter().map(|unit| (unit.id(), Err(untouched(unit, &why)))));
                held.extend(units.iter().map(|unit| (unit.name.as_str(), why.clone())));
            }
            Err(why) => {
                results.extend(now.iter().map(|unit| (unit.id(), Err(untouched(unit, &why)))));
                held.extend(now.iter().map(|unit| (unit.name.as_str(), why.clone())));
            }
        }
    }
    let ids: Vec<String> = units.iter().map(Service::id).collect();
    ids.into_iter().filter_map(|id| results.remove(&id).map(|result| (id, result))).collect()
}

fn untouched(unit: &Service, why: &str) -> Error {
    Error::failed(format!("`{}` was not restarted and is as it was: {why}", unit.id()))
}

/// Which units go together: the first round has at least one unit of each service.
fn rounds(units: &[Service]) -> Vec<Vec<&Service>> {
    let mut rounds: Vec<Vec<&Service>> = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in units {
        let rolls = unit.instance.is_some() && unit.kind == Kind::Service;
        let count = seen.entry(&unit.name).or_default();
        let round = if rolls { *count } else { 0 };
        *count += 1;
        if rounds.len() <= round {
            rounds.resize_with(round + 1, Vec::new);
        }
        rounds[round].push(unit);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::backend::{BackendKind, Target};
    use crate::facts::Foreign;
    use crate::layout::Scope;
    use crate::manifest::{ResolveDirs, parse, resolve};

    fn units(text: &str) -> Vec<Service> {
        let manifest = parse(text.as_bytes(), Path::new("m.toml")).unwrap();
        let target = Target::elsewhere(BackendKind::Embedded, Scope::System);
        let services = resolve(&manifest, &target, &Foreign, &ResolveDirs { manifest_dir: "/".into() }).unwrap();
        services.iter().flat_map(Service::units).collect()
    }

    const THREE: &str = "[service.web]\nexec = ['/w']\ninstances = 3\n[service.db]\nexec = ['/d']\n";

    type Told = Vec<(String, Result<Effect, String>)>;

    fn run(fails: &str) -> (Vec<String>, Told) {
        let mut asked = Vec::new();
        let results = in_rounds(&units(THREE), |round| {
            let mut ids: Vec<String> = round.iter().map(Service::id).collect();
            ids.sort();
            asked.push(ids.join(" "));
            let did = |id: &str| if id == fails { Err(Error::failed("no")) } else { Ok(Effect::Restarted) };
            Ok(ids.into_iter().map(|id| (id.clone(), did(&id))).collect())
        });
        let mut told: Told =
            results.into_iter().map(|(id, result)| (id, result.map_err(|error| error.to_string()))).collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        (asked, told)
    }

    #[test]
    fn instances_go_one_after_the_other() {
        let (asked, told) = run("");
        assert_eq!(asked, ["db web@1", "web@2", "web@3"]);
        assert!(told.len() == 4 && told.iter().all(|(_, result)| *result == Ok(Effect::Restarted)), "{told:?}");
    }

    #[test]
    fn one_that_does_not_come_up_leaves_the_others_alone() {
        let (asked, told) = run("web@2");
        assert_eq!(asked, ["db web@1", "web@2"]);
        let of = |id: &str| told.iter().find(|(found, _)| found == id).unwrap().1.clone();
        assert_eq!(of("web@1"), Ok(Effect::Restarted));
        assert_eq!(of("web@3").unwrap_err(), "`web@3` was not restarted and is as it was: `web@2` did not come up");
    }

    #[test]
    fn a_passed_deadline_ends_it_between_two() {
        let mut rounds = 0;
        let results = in_rounds(&units(THREE), |round| {
            rounds += 1;
            if rounds > 1 {
                return Err("late".to_owned());
            }
            Ok(round.iter().map(|unit| (unit.id(), Ok(Effect::Restarted))).collect())
        });
        assert_eq!(results.iter().filter(|(_, result)| result.is_err()).count(), 2);
        assert_eq!(rounds, 2);
    }

    #[test]
    fn tasks_and_oneshots_have_no_turn_to_wait_for() {
        let all = units("[service.a]\nexec = ['/a']\ntype = 'oneshot'\ninstances = 3\n");
        assert_eq!(rounds(&all).len(), 1);
    }
}
