//! start, stop, restart, reload: one burst of jobs, their ends, and then what is really there.
//!
//! A job that is done says little: with `Type=exec` a start is done when the program was executed. So the units are looked at
//! again after a [`window`] in which a program that can't run at all has ended; and a stop counts when the control group is
//! empty.

use std::time::{Duration, Instant};

use super::link::{Ask, Facts, JobEnd, Listed, Verb, Wait};
use super::manager::{Systemd, timer_of};
use super::{journal, state, window};
use crate::backend::systemd::names;
use crate::backend::{Deadline, Progress, UnitResult, without_reload};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::{Effect, State};
use crate::service::{Kind, ReadyWhen, RestartPolicy, Service};

/// Lines of its output that a failure is shown with.
const LAST_LINES: usize = 10;

/// A failure that concerns all of the units.
pub(super) fn or_all(units: &[Service], results: Result<Vec<UnitResult>>) -> Vec<UnitResult> {
    match results {
        Ok(results) => results,
        Err(error) => units
            .iter()
            .map(|unit| {
                let mut same = Error::new(error.exit(), error.to_string());
                for hint in error.hints() {
                    same = same.hint(hint);
                }
                (unit.id(), Err(same))
            })
            .collect(),
    }
}

fn wait(deadline: Deadline, progress: &mut dyn Progress) -> Wait<'_> {
    Wait { until: deadline.left().map(|left| Instant::now() + left), progress }
}

fn handles(units: &[Service]) -> Vec<String> {
    units.iter().map(names::handle).collect()
}

fn services(units: &[Service]) -> Vec<String> {
    units.iter().map(|unit| names::unit(&unit.id(), "service")).collect()
}

pub(super) fn start(
    systemd: &mut Systemd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Vec<UnitResult>> {
    let handles = handles(units);
    let before = systemd.link.list(&handles)?;
    let mut jobs = Vec::new();
    for (at, listed) in before.iter().enumerate() {
        let done = listed.active == "active";
        let rerun = done && units[at].kind == Kind::Oneshot && listed.sub == "exited";
        if !done || rerun {
            // A start would wait for the next try, and does nothing for a oneshot that has ended.
            let verb = if rerun || listed.is_in_backoff() { Verb::Restart } else { Verb::Start };
            jobs.push((at, verb));
        }
    }
    run(systemd, units, &handles, &before, &jobs, Effect::Started, deadline, progress)
}

pub(super) fn restart(
    systemd: &mut Systemd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Vec<UnitResult>> {
    let handles = handles(units);
    let before = systemd.link.list(&handles)?;
    let jobs: Vec<(usize, Verb)> = (0..units.len()).map(|at| (at, Verb::Restart)).collect();
    // A task that runs is a part of what is restarted.
    let running: Vec<usize> = (0..units.len()).filter(|at| is_task(&units[*at])).collect();
    if !running.is_empty() {
        let stops: Vec<(Verb, String)> =
            running.iter().map(|at| (Verb::Stop, names::unit(&units[*at].id(), "service"))).collect();
        for end in systemd.link.jobs(&stops, &mut wait(deadline, progress))? {
            end?;
        }
    }
    run(systemd, units, &handles, &before, &jobs, Effect::Restarted, deadline, progress)
}

#[expect(clippy::too_many_arguments, reason = "start and restart differ in all of them")]
fn run(
    systemd: &mut Systemd,
    units: &[Service],
    handles: &[String],
    before: &[Listed],
    jobs: &[(usize, Verb)],
    effect: Effect,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Vec<UnitResult>> {
    // A start by a person begins anew: what failed before must not count against it.
    let services = services(units);
    let counted: Vec<String> =
        jobs.iter().filter(|(at, _)| before[*at].is_loaded()).map(|(at, _)| services[*at].clone()).collect();
    if !counted.is_empty() {
        systemd.link.reset_failed(&counted)?;
    }
    let mut asked: Vec<(Verb, String)> = jobs.iter().map(|(at, verb)| (*verb, handles[*at].clone())).collect();
    // Restarts leave requirements alone, so what a unit requires is started beside it.
    for (at, verb) in jobs {
        if *verb == Verb::Restart {
            for dependency in units[*at].requires.iter().chain(&units[*at].wants) {
                for name in names::dependency(&units[*at], dependency)? {
                    if !asked.iter().any(|(_, unit)| *unit == name) {
                        asked.push((Verb::Start, name));
                    }
                }
            }
        }
    }
    let ends = systemd.link.jobs(&asked, &mut wait(deadline, progress))?;
    let blind = |at: &usize| units[*at].kind == Kind::Service && !has_readiness(&units[*at]);
    let blind: Vec<String> = jobs.iter().map(|(at, _)| *at).filter(blind).map(|at| services[at].clone()).collect();
    let window = window::pass(systemd, &blind)?;
    let after = systemd.link.list(&services)?;
    let mut ended: Vec<Option<JobEnd>> = units.iter().map(|_| None).collect();
    for ((at, _), end) in jobs.iter().zip(ends) {
        ended[*at] = Some(end);
    }
    let restarted = quick_restarts(systemd, units, &services, &after, jobs, window)?;
    let mut results = Vec::with_capacity(units.len());
    for (at, unit) in units.iter().enumerate() {
        let result = match ended[at].take() {
            None => Ok(Effect::Unchanged),
            Some(Err(error)) => Err(explained(systemd, unit, &services[at], error)),
            Some(Ok(end)) => {
                let armed = is_task(unit) && end == "done";
                let up = after[at].active == "active"
                    || (unit.kind != Kind::Service && end == "done" && after[at].active == "inactive");
                if (armed || up) && !restarted.contains(&at) {
                    Ok(effect)
                } else {
                    Err(failure(systemd, unit, &services[at], &end))
                }
            }
        };
        results.push((unit.id(), result));
    }
    Ok(results)
}

/// It is its timer that is up.
fn is_task(unit: &Service) -> bool {
    unit.kind == Kind::Task && names::has_timer(unit)
}

fn has_readiness(unit: &Service) -> bool {
    unit.ready.as_ref().is_some_and(|ready| ready.when == ReadyWhen::Notify)
}

/// Units that ended and were started again within the window look as if nothing had been; only their counter tells.
fn quick_restarts(
    systemd: &mut Systemd,
    units: &[Service],
    services: &[String],
    after: &[Listed],
    jobs: &[(usize, Verb)],
    window: Duration,
) -> Result<Vec<usize>> {
    let quick: Vec<usize> = jobs
        .iter()
        .map(|(at, _)| *at)
        .filter(|at| {
            let restart = &units[*at].restart;
            after[*at].active == "active" && restart.policy != RestartPolicy::Never && restart.delay <= window
        })
        .collect();
    if quick.is_empty() {
        return Ok(quick);
    }
    let names: Vec<String> = quick.iter().map(|at| services[*at].clone()).collect();
    let facts = systemd.link.facts(&names, Ask::Restarts)?;
    Ok(quick
        .into_iter()
        .zip(facts)
        .filter(|(_, facts)| facts.restarts.is_some_and(|n| n > 0))
        .map(|(at, _)| at)
        .collect())
}

/// Why a unit is not up, with the last it said.
fn failure(systemd: &mut Systemd, unit: &Service, service: &str, end: &str) -> Error {
    let name = unit.id();
    let facts = match systemd.link.facts(&[service.to_owned()], Ask::All) {
        Ok(mut facts) => facts.pop().unwrap_or_default(),
        Err(error) => return error,
    };
    let last = state::last_exit(&facts).map(|exit| exit.reason);
    let (exit, why) = match (end, facts.listed.load.as_str()) {
        (_, "not-found") => (Exit::NotInstalled, "systemd finds no such unit".to_owned()),
        (_, "masked") => (Exit::Failed, "the unit is masked".to_owned()),
        (_, "bad-setting" | "error") => (Exit::Failed, "systemd cannot load its unit".to_owned()),
        ("dependency", _) => (Exit::Failed, held_up_by(systemd, unit)),
        ("canceled", _) => (Exit::Failed, "somebody cancelled its start".to_owned()),
        ("timeout", _) => (Exit::TimedOut, "it was not up in time".to_owned()),
        _ if facts.result == "timeout" => {
            let ready = unit.ready.as_ref().map(|ready| ready.timeout);
            let time = ready.map_or_else(String::new, |time| format!(" within {}", human(time)));
            (Exit::TimedOut, format!("it did not become ready{time}"))
        }
        _ => (Exit::Failed, last.unwrap_or_else(|| format!("it is {} after its start", state::raw(&facts)))),
    };
    let mut error = Error::new(exit, format!("`{name}` did not start: {why}"));
    if facts.listed.is_in_backoff() {
        error = error.hint(format!("systemd will try again by its restart policy; `daemonctl stop {name}` ends that"));
    }
    with_last_lines(systemd, error, unit, service, &facts)
}

/// Which of the units that it requires are not up.
fn held_up_by(systemd: &mut Systemd, unit: &Service) -> String {
    let required = unit.requires.iter().filter_map(|on| names::dependency(unit, on).ok()).flatten();
    let required: Vec<String> = required.collect();
    let down: Vec<String> = match systemd.link.list(&required) {
        Ok(listed) => required
            .iter()
            .zip(listed)
            .filter(|(_, is)| is.active != "active")
            .map(|(on, _)| on)
            .map(|on| format!("`{}`", on.strip_suffix(".service").unwrap_or(on)))
            .collect(),
        Err(_) => Vec::new(),
    };
    if down.is_empty() {
        return "a unit that it requires failed".to_owned();
    }
    format!("it is held up by {}, which it requires", down.join(", "))
}

/// An error of a job, with the last the unit said.
fn explained(systemd: &mut Systemd, unit: &Service, service: &str, error: Error) -> Error {
    if error.exit() == Exit::NotPermitted {
        return error;
    }
    let facts = systemd.link.facts(&[service.to_owned()], Ask::All).ok().and_then(|mut facts| facts.pop());
    with_last_lines(systemd, error, unit, service, &facts.unwrap_or_default())
}

fn with_last_lines(systemd: &Systemd, error: Error, unit: &Service, service: &str, facts: &Facts) -> Error {
    let lines = journal::last_lines(service, systemd.target.scope, facts, LAST_LINES);
    if lines.is_empty() {
        return error.hint(format!("`daemonctl logs {}` shows more", unit.id()));
    }
    error
        .detail(format!("its last lines:\n{}", lines.join("\n")))
        .hint(format!("`daemonctl logs {}` shows more", unit.id()))
}

fn human(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

pub(super) fn stop(
    systemd: &mut Systemd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Vec<UnitResult>> {
    let services = services(units);
    let timers: Vec<String> = units.iter().map(timer_of).filter(|timer| !timer.is_empty()).collect();
    let all: Vec<String> = timers.iter().chain(&services).cloned().collect();
    let before = systemd.link.list(&all)?;
    let jobs: Vec<(Verb, String)> = all
        .iter()
        .zip(&before)
        .filter(|(_, listed)| !listed.is_down())
        .map(|(name, _)| (Verb::Stop, name.clone()))
        .collect();
    // Asked while they run: a stopped unit has no control group any more.
    let cgroups: Vec<Option<String>> =
        systemd.link.facts(&services, Ask::Cgroup)?.into_iter().map(|facts| facts.cgroup).collect();
    let ends = systemd.link.jobs(&jobs, &mut wait(deadline, progress))?;
    let mut ends: Vec<Option<JobEnd>> = ends.into_iter().map(Some).collect();
    let after = systemd.link.list(&services)?;
    let failed: Vec<String> = services
        .iter()
        .zip(&after)
        .filter(|(_, listed)| listed.active == "failed")
        .map(|(name, _)| name.clone())
        .collect();
    // It is down because somebody wanted that, however it took it.
    systemd.link.reset_failed(&failed)?;
    let mut results = Vec::with_capacity(units.len());
    for (at, unit) in units.iter().enumerate() {
        let own = [services[at].clone(), timer_of(unit)];
        let ours: Vec<usize> = (0..jobs.len()).filter(|job| own.contains(&jobs[*job].1)).collect();
        let problem = ours.iter().find_map(|job| ends[*job].take().and_then(Result::err));
        let result = if let Some(error) = problem {
            Err(error)
        } else if !after[at].is_down() {
            Err(Error::failed(format!("`{}` is {} ({}) after its stop", unit.id(), after[at].active, after[at].sub)))
        } else if let Some(left) = cgroups[at].as_deref().map(leftovers).filter(|left| !left.is_empty()) {
            let kept = unit.stop.kill != crate::service::KillScope::Tree;
            // The manifest may want only the main process killed.
            if kept { Ok(Effect::Stopped) } else { Err(still_there(unit, &left)) }
        } else if ours.is_empty() {
            Ok(Effect::Unchanged)
        } else {
            Ok(Effect::Stopped)
        };
        results.push((unit.id(), result));
    }
    Ok(results)
}

fn still_there(unit: &Service, left: &[u32]) -> Error {
    let list: Vec<String> = left.iter().map(ToString::to_string).collect();
    Error::failed(format!("`{}` was stopped, and processes of it are still there: {}", unit.id(), list.join(", ")))
}

/// Processes in a control group.
fn leftovers(cgroup: &str) -> Vec<u32> {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"]
        .iter()
        .filter_map(|root| std::fs::read_to_string(format!("{root}{cgroup}/cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>())
        .filter(|pid| *pid != 0)
        .collect()
}

pub(super) fn reload(
    systemd: &mut Systemd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Vec<UnitResult>> {
    let services = services(units);
    let before = systemd.link.list(&services)?;
    let up: Vec<usize> = (0..units.len()).filter(|at| before[*at].active == "active").collect();
    let jobs: Vec<(Verb, String)> = up.iter().map(|at| (Verb::Reload, services[*at].clone())).collect();
    let mut ends: Vec<Option<JobEnd>> = units.iter().map(|_| None).collect();
    for (at, end) in up.into_iter().zip(systemd.link.jobs(&jobs, &mut wait(deadline, progress))?) {
        ends[at] = Some(end);
    }
    let after = systemd.link.facts(&services, Ask::All)?;
    let mut results = Vec::with_capacity(units.len());
    for ((unit, end), facts) in units.iter().zip(ends).zip(after) {
        let service = names::unit(&unit.id(), "service");
        let up = state::state(unit, &facts, None) == State::Running;
        let result = match end {
            None => {
                let state = state::raw(&facts);
                Err(Error::new(Exit::NotRunning, format!("`{}` was not reloaded: it is {state}", unit.id())))
            }
            Some(Ok(end)) if end == "done" && up => Ok(Effect::Reloaded),
            Some(Ok(end)) => {
                let why = if up {
                    format!("its reload action failed ({end}), and it runs on")
                } else {
                    format!("it is {} after it", state::raw(&facts))
                };
                let error = Error::failed(format!("`{}` was not reloaded: {why}", unit.id()));
                Err(with_last_lines(systemd, error, unit, &service, &facts))
            }
            // Its unit may know how all the same, by a raw key.
            Some(Err(_)) if unit.reload.is_none() => Err(without_reload(unit)),
            Some(Err(error)) => Err(error),
        };
        results.push((unit.id(), result));
    }
    Ok(results)
}
