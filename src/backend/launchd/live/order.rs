//! The order that launchd does not know: units in the order of what they depend on, as many at a time as that allows.

use crate::backend::{Deadline, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::report::Effect;
use crate::service::{Dependency, Service};

/// What a look at a unit came to.
pub(super) enum Step {
    /// It is not done yet.
    Waits,
    Done(Result<Effect>),
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// What is depended on first.
    Up,
    /// What depends first.
    Down,
}

/// Looks at each unit again and again, as soon as those before it are done, until all are.
pub(super) fn run(
    units: &[Service],
    way: Way,
    deadline: Deadline,
    progress: &mut dyn Progress,
    mut look: impl FnMut(usize, &mut dyn Progress) -> Step,
) -> Vec<UnitResult> {
    let before: Vec<Vec<(usize, bool)>> = (0..units.len()).map(|at| before(units, at, way)).collect();
    let mut done: Vec<Option<Result<Effect>>> = units.iter().map(|_| None).collect();
    loop {
        let mut open = false;
        for at in 0..units.len() {
            if done[at].is_some() {
                continue;
            }
            let ready = before[at].iter().all(|(other, _)| done[*other].is_some());
            let failed = before[at].iter().find(|(other, needed)| *needed && matches!(done[*other], Some(Err(_))));
            if let Some((other, _)) = failed {
                let (id, other) = (units[at].id(), units[*other].id());
                done[at] = Some(Err(Error::failed(format!(
                    "`{id}` did not start: it is held up by `{other}`, which it requires"
                ))));
                continue;
            }
            if ready && let Step::Done(result) = look(at, progress) {
                done[at] = Some(result);
                continue;
            }
            open = true;
        }
        if !open {
            break;
        }
        let stop = if progress.interrupted() {
            Some(Error::failed("interrupted; launchd goes on with what it was asked"))
        } else if deadline.passed() {
            Some(
                Error::timed_out("it is not done in the time that was given")
                    .hint("launchd goes on with it; `daemonctl status` shows how far it is"),
            )
        } else {
            None
        };
        if let Some(error) = stop {
            for result in done.iter_mut().filter(|result| result.is_none()) {
                *result = Some(Err(same(&error)));
            }
            break;
        }
        crate::system::pause(super::job::PAUSE);
    }
    units.iter().zip(done).filter_map(|(unit, result)| Some((unit.id(), result?))).collect()
}

/// The same failure once more.
pub(super) fn same(error: &Error) -> Error {
    let mut same = Error::new(error.exit(), error.to_string());
    for hint in error.hints() {
        same = same.hint(hint);
    }
    for detail in error.details() {
        same = same.detail(detail);
    }
    same
}

/// Those of the units that come before one, and whether it can't do without them.
fn before(units: &[Service], at: usize, way: Way) -> Vec<(usize, bool)> {
    let names = |unit: &Service, list: &[Dependency]| {
        list.iter().any(|dependency| matches!(dependency, Dependency::Service(name) if *name == unit.name))
    };
    let depends = |unit: &Service, on: &Service| {
        let required = names(on, &unit.requires);
        (required || names(on, &unit.after) || names(on, &unit.wants)).then_some(required)
    };
    (0..units.len())
        .filter(|other| *other != at)
        .filter_map(|other| match way {
            Way::Up => depends(&units[at], &units[other]).map(|required| (other, required)),
            // What could not be stopped keeps nothing else from being stopped.
            Way::Down => depends(&units[other], &units[at]).map(|_| (other, false)),
        })
        // Two manifests can make a cycle; the order of the list, which has none, then counts.
        .filter(|(other, _)| match way {
            Way::Up => *other < at,
            Way::Down => *other > at,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::backend::Silent;
    use crate::backend::launchd::sample::service;

    fn chain() -> Vec<Service> {
        let unit = |name: &str, requires: &[&str], wants: &[&str]| {
            let list = |names: &[&str]| names.iter().map(|name| Dependency::Service((*name).to_owned())).collect();
            let mut unit = service();
            (unit.name, unit.requires, unit.wants) = (name.to_owned(), list(requires), list(wants));
            unit
        };
        vec![
            unit("db", &[], &[]),
            unit("cache", &[], &[]),
            unit("web", &["db"], &["cache"]),
            unit("top", &["web"], &[]),
        ]
    }

    fn walk(way: Way, fails: &str) -> (Vec<String>, Vec<UnitResult>) {
        let units = chain();
        let seen = RefCell::new(Vec::new());
        let results = run(&units, way, Deadline::after(None), &mut Silent, |at, _| {
            let name = units[at].name.clone();
            let mut seen = seen.borrow_mut();
            // The first look begins, the second sees the end.
            let again = seen.contains(&name);
            seen.push(name.clone());
            match (again, name == fails) {
                (false, _) => Step::Waits,
                (true, true) => Step::Done(Err(Error::failed("no"))),
                (true, false) => Step::Done(Ok(Effect::Started)),
            }
        });
        (seen.into_inner(), results)
    }

    #[test]
    fn what_is_depended_on_comes_first_and_the_rest_together() {
        let (seen, results) = walk(Way::Up, "");
        assert_eq!(seen, ["db", "cache", "db", "cache", "web", "web", "top", "top"].map(str::to_owned));
        assert!(results.iter().all(|(_, result)| result.is_ok()));
        let (seen, _) = walk(Way::Down, "");
        assert_eq!(seen.first().map(String::as_str), Some("top"));
        let at = |name: &str| seen.iter().rposition(|seen| seen == name);
        assert!(at("web") < at("db") && at("web") < at("cache"));
    }

    #[test]
    fn a_failure_holds_up_only_who_requires_it() {
        let (seen, results) = walk(Way::Up, "db");
        assert!(!seen.contains(&"web".to_owned()) && !seen.contains(&"top".to_owned()));
        assert!(results[2].1.as_ref().unwrap_err().to_string().contains("held up by `db`"));
        let (_, results) = walk(Way::Up, "cache");
        assert!(results[2].1.is_ok(), "what is only wanted may fail");
        let (_, results) = walk(Way::Down, "top");
        assert!(results[0].1.is_ok(), "what cannot be stopped keeps nothing from being stopped");
    }
}
