//! The order that launchd does not know: units in the order of what they depend on, as many at a time as that allows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use crate::backend::{Deadline, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::report::Effect;
use crate::service::{Dependency, Service};

/// How many acts are under way at a time.
const AT_A_TIME: usize = 8;

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
        if let Some(error) = cut_off(progress, deadline) {
            for result in done.iter_mut().filter(|result| result.is_none()) {
                *result = Some(Err(same(&error)));
            }
            break;
        }
        crate::system::pause(super::job::PAUSE);
    }
    units.iter().zip(done).filter_map(|(unit, result)| Some((unit.id(), result?))).collect()
}

/// Why nothing more is waited for.
fn cut_off(progress: &dyn Progress, deadline: Deadline) -> Option<Error> {
    if progress.interrupted() {
        return Some(Error::failed("interrupted; launchd goes on with what it was asked"));
    }
    deadline.passed().then(|| {
        Error::timed_out("it is not done in the time that was given")
            .hint("launchd goes on with it; `daemonctl status` shows how far it is")
    })
}

/// Acts on units last first, each as soon as what depends on it is done, several at a time: for acts that do their own
/// waiting, and end in time when they are told that they are interrupted.
pub(super) fn run_down(
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
    act: impl Fn(usize, &mut dyn Progress) -> Result<Effect> + Sync,
) -> Vec<UnitResult> {
    let before: Vec<Vec<(usize, bool)>> = (0..units.len()).map(|at| before(units, at, Way::Down)).collect();
    let mut done: Vec<Option<Result<Effect>>> = units.iter().map(|_| None).collect();
    let mut begun = vec![false; units.len()];
    let interrupted = AtomicBool::new(false);
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        loop {
            if progress.interrupted() {
                interrupted.store(true, Ordering::Relaxed);
            }
            if let Some(error) = cut_off(progress, deadline) {
                for at in (0..units.len()).filter(|at| !begun[*at]).collect::<Vec<_>>() {
                    (begun[at], done[at]) = (true, Some(Err(same(&error))));
                }
            }
            for at in 0..units.len() {
                let under_way = begun.iter().zip(&done).filter(|(begun, done)| **begun && done.is_none()).count();
                if begun[at] || under_way >= AT_A_TIME || before[at].iter().any(|(other, _)| done[*other].is_none()) {
                    continue;
                }
                begun[at] = true;
                let (act, mut turn) = (&act, Turn { at, interrupted: &interrupted, told: tell.clone(), result: None });
                scope.spawn(move || {
                    let result = act(at, &mut turn);
                    turn.end(result);
                });
            }
            if done.iter().all(Option::is_some) {
                break;
            }
            match told.recv_timeout(super::job::PAUSE) {
                Ok(Told::Waiting(unit, what)) => progress.waiting(&unit, &what),
                Ok(Told::Done(at, result)) => done[at] = Some(result),
                Err(_) => {}
            }
        }
    });
    units.iter().zip(done).filter_map(|(unit, result)| Some((unit.id(), result?))).collect()
}

/// What an act says to who waits for all of them.
enum Told {
    Waiting(String, String),
    Done(usize, Result<Effect>),
}

/// An act under way in a thread of its own. However that ends, its end is told.
struct Turn<'a> {
    at: usize,
    interrupted: &'a AtomicBool,
    told: Sender<Told>,
    result: Option<Result<Effect>>,
}

impl Turn<'_> {
    fn end(mut self, result: Result<Effect>) {
        self.result = Some(result);
    }
}

impl Progress for Turn<'_> {
    fn waiting(&mut self, unit: &str, what: &str) {
        let _ = self.told.send(Told::Waiting(unit.to_owned(), what.to_owned()));
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err(Error::failed("a thread of this command was lost")));
        let _ = self.told.send(Told::Done(self.at, result));
    }
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
    fn stops_meet_where_nothing_depends_and_wait_where_something_does() {
        use std::sync::{Condvar, Mutex};
        let units = chain();
        // `db` and `cache` are free once `web` is down: neither ends before both have begun.
        let (seen, changed) = (Mutex::new(Vec::new()), Condvar::new());
        let results = run_down(&units, Deadline::after(None), &mut Silent, |at, progress| {
            progress.waiting(&units[at].id(), "waiting");
            let mut list = seen.lock().unwrap();
            list.push(units[at].name.clone());
            changed.notify_all();
            if matches!(units[at].name.as_str(), "db" | "cache") {
                let patience = std::time::Duration::from_secs(60);
                let (_list, late) = changed.wait_timeout_while(list, patience, |list| list.len() < 4).unwrap();
                assert!(!late.timed_out(), "one waited for the other's end");
            }
            if units[at].name == "top" { Err(Error::failed("no")) } else { Ok(Effect::Stopped) }
        });
        let seen = seen.into_inner().unwrap();
        assert_eq!(&seen[..2], ["top", "web"], "what depends goes first, and keeps nothing up");
        assert!(results.iter().all(|(id, result)| result.is_ok() == (id != "top")));
    }

    #[test]
    fn what_did_not_begin_in_time_is_told_so_and_a_lost_thread_too() {
        let units = chain();
        let over = Deadline::after(Some(std::time::Duration::ZERO));
        let results = run_down(&units, over, &mut Silent, |_, _| Ok(Effect::Stopped));
        assert!(results.iter().all(|(_, result)| result.as_ref().is_err_and(|error| error.exit().code() == 8)));
        let (tell, told) = channel();
        let interrupted = AtomicBool::new(false);
        drop(Turn { at: 3, interrupted: &interrupted, told: tell, result: None });
        assert!(matches!(told.recv(), Ok(Told::Done(3, Err(_)))));
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
