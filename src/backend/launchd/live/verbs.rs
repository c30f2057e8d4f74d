//! start, restart, reload.
//!
//! A start loads the definition anew, whatever launchd has in memory: so a change of the file counts, and launchd counts
//! the runs from here. What it then does not start by itself is demanded. A program is up when it has lived through a
//! short time, or when the host says so.

use std::time::{Duration, Instant};

use super::job::{Job, Known};
use super::manager::{Launchd, for_all};
use super::order::{Step, Way, run};
use super::{cause, logs};
use crate::backend::launchd::{names, state};
use crate::backend::{Deadline, Progress, UnitResult, without_reload};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::receipt;
use crate::report::{Effect, State};
use crate::service::{Dependency, Kind, ReloadAction, Service};

/// A program without a sign of readiness counts as started when it has lived so long: longer than one takes that cannot
/// run at all. On a machine that has much to do that is twice as long as `launchctl` takes, which has to be loaded too,
/// but not longer than [`SETTLE_MOST`].
const SETTLE: Duration = Duration::from_millis(100);
const SETTLE_MOST: Duration = Duration::from_secs(2);

/// How long that is on this machine, where launchd was asked for so long at most.
fn settle(slowest: Duration) -> Duration {
    (slowest * 2).clamp(SETTLE, SETTLE_MOST)
}

/// launchd starts what it wants to start at once; after this it is asked to.
const HELD: Duration = Duration::from_secs(2);

/// A start under way.
struct Starting {
    since: Instant,
    until: Option<Instant>,
    /// The process that was seen, and since when.
    seen: Option<(u32, Instant)>,
    demanded: Option<Instant>,
    /// Its label is disabled again once it is up.
    disable: bool,
    /// The longest that launchd has taken to be asked.
    slowest: Duration,
}

pub(super) fn start(
    launchd: &mut Launchd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let asked: Vec<String> = units.iter().map(Service::id).collect();
    match with_needed(launchd, units) {
        Ok(all) => {
            let mut results = bring_up(launchd, &all, Effect::Started, deadline, progress);
            results.retain(|(id, _)| asked.contains(id));
            results
        }
        Err(error) => for_all(units, &error),
    }
}

pub(super) fn restart(
    launchd: &mut Launchd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let stopped = super::stop::take_down(launchd, units, deadline, progress);
    if let Some(failed) = stopped.iter().find_map(|(_, result)| result.as_ref().err()) {
        // What could not be stopped is not started a second time; the others are as they are found.
        let error = super::order::same(failed);
        let failed: Vec<String> =
            stopped.iter().filter(|(_, result)| result.is_err()).map(|(id, _)| id.clone()).collect();
        let rest: Vec<Service> = units.iter().filter(|unit| !failed.contains(&unit.id())).cloned().collect();
        let mut results = bring_up(launchd, &rest, Effect::Restarted, deadline, progress);
        results.extend(stopped.into_iter().filter(|(_, result)| result.is_err()));
        if results.is_empty() {
            return for_all(units, &error);
        }
        return results;
    }
    bring_up(launchd, units, Effect::Restarted, deadline, progress)
}

/// The units, and before them what they need that is installed: starting a service starts what it requires.
fn with_needed(launchd: &Launchd, units: &[Service]) -> Result<Vec<Service>> {
    let needed = |units: &[Service], have: &[String]| -> Vec<String> {
        let lists = units.iter().flat_map(|unit| unit.requires.iter().chain(&unit.wants));
        let names = lists.filter_map(|dependency| match dependency {
            Dependency::Service(name) if !have.contains(name) => Some(name.clone()),
            Dependency::Service(_) | Dependency::Foreign(_) => None,
        });
        names.collect()
    };
    let mut all = units.to_vec();
    loop {
        let have: Vec<String> = all.iter().map(|unit| unit.name.clone()).collect();
        let missing = needed(&all, &have);
        if missing.is_empty() {
            return Ok(all);
        }
        let receipts = receipt::of(&launchd.target.layout, missing.iter().map(String::as_str))?;
        if receipts.is_empty() {
            return Ok(all);
        }
        let before: Vec<Service> = receipts.values().flat_map(|receipt| receipt.service.units()).collect();
        all.splice(0..0, before);
    }
}

fn bring_up(
    launchd: &mut Launchd,
    units: &[Service],
    effect: Effect,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let launchd = &*launchd;
    let mut under_way: Vec<Option<Starting>> = units.iter().map(|_| None).collect();
    let results = run(units, Way::Up, deadline, progress, |at, progress| {
        let unit = &units[at];
        let step = match &mut under_way[at] {
            None => match begin(launchd, unit, deadline, progress) {
                Ok(Some(starting)) => {
                    under_way[at] = Some(starting);
                    Step::Waits
                }
                Ok(None) => Step::Done(Ok(Effect::Unchanged)),
                Err(error) => Step::Done(Err(with_state(launchd, unit, error))),
            },
            Some(starting) => match look(launchd, unit, starting, progress) {
                Ok(true) => Step::Done(Ok(effect)),
                Ok(false) => Step::Waits,
                Err(error) => Step::Done(Err(error)),
            },
        };
        match (step, &mut under_way[at]) {
            (Step::Done(result), Some(Starting { disable: disable @ true, .. })) => {
                *disable = false;
                let label = names::label(unit);
                Step::Done(launchd.switch(&label, false).and(result))
            }
            (step, _) => step,
        }
    });
    // What the deadline cut off is disabled again too.
    for (unit, starting) in units.iter().zip(under_way) {
        if starting.is_some_and(|starting| starting.disable) {
            let _ = launchd.switch(&names::label(unit), false);
        }
    }
    results
}

/// A call that got no answer is told with the state that the service is in.
fn with_state(launchd: &Launchd, unit: &Service, error: Error) -> Error {
    if error.exit() != Exit::TimedOut {
        return error;
    }
    let state = launchd.know(unit).map_or("in an unknown state", |known| known.state.name());
    cause::no_answer(error, &unit.id(), state)
}

/// Loads it and has it started; None: it is up.
fn begin(
    launchd: &Launchd,
    unit: &Service,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Option<Starting>> {
    let known = launchd.know(unit)?;
    let limit = Launchd::start_limit(unit, known.hosted);
    let now = Instant::now();
    let mut starting = Starting {
        since: now,
        until: limit.map(|limit| now + limit),
        seen: None,
        demanded: None,
        disable: false,
        slowest: Duration::ZERO,
    };
    match known.state {
        State::Running => return Ok(None),
        State::Starting if known.pid().is_some() => return Ok(Some(starting)),
        _ => {}
    }
    let domain = launchd.domain_of(unit)?;
    if let Some(job) = &known.job {
        launchd.unload(unit, job, deadline, progress)?;
    }
    let label = names::label(unit);
    if launchd.is_disabled(&label)? {
        starting.disable = true;
        launchd.switch(&label, true)?;
    }
    let loaded = launchd.load(unit, domain).and_then(|job| {
        let at_load = unit.kind != Kind::Task && job.printed.runs.is_none_or(|runs| runs == 0);
        if at_load && unit.start == crate::service::Start::Manual && job.printed.pid.is_none() {
            launchd.demand(&job)?;
            starting.demanded = Some(Instant::now());
        }
        Ok(())
    });
    if let Err(error) = loaded {
        if starting.disable {
            let _ = launchd.switch(&label, false);
        }
        return Err(error);
    }
    Ok(Some(starting))
}

/// Whether it is up by now.
fn look(launchd: &Launchd, unit: &Service, starting: &mut Starting, progress: &mut dyn Progress) -> Result<bool> {
    let id = unit.id();
    let asked = Instant::now();
    let known = launchd.know(unit)?;
    starting.slowest = starting.slowest.max(asked.elapsed());
    let Some(job) = &known.job else {
        return Err(Error::failed(format!("`{id}` did not start: launchd has no such job any more")));
    };
    // It is armed, and will run when it is time.
    if unit.kind == Kind::Task {
        return Ok(true);
    }
    if let Some(pid) = job.printed.pid {
        let (seen, since) = *starting.seen.get_or_insert((pid, Instant::now()));
        if seen != pid {
            return Err(failure(launchd, unit, &known));
        }
        if known.hosted {
            return host_is_up(launchd, unit, &known, starting, progress);
        }
        match unit.kind {
            Kind::Service if since.elapsed() >= settle(starting.slowest) => return Ok(true),
            Kind::Service => {}
            Kind::Oneshot | Kind::Task => progress.waiting(&id, "waiting for it to complete"),
        }
        return late(launchd, unit, &known, starting);
    }
    if known.state == State::Completed {
        return Ok(true);
    }
    let ran = job.printed.runs.is_some_and(|runs| runs > 0) || starting.seen.is_some();
    if ran && !state::held_back(&job.printed) && !matches!(known.state, State::Starting) {
        return Err(failure(launchd, unit, &known));
    }
    demand_if_held(launchd, unit, job, starting)?;
    late(launchd, unit, &known, starting)
}

/// What launchd holds back, or has simply not started, is demanded, and again if that had no effect.
fn demand_if_held(launchd: &Launchd, unit: &Service, job: &Job, starting: &mut Starting) -> Result<()> {
    let due = match starting.demanded {
        Some(at) => at.elapsed() >= HELD,
        None => state::held_back(&job.printed) || starting.since.elapsed() >= HELD,
    };
    if due {
        starting.demanded = Some(Instant::now());
        launchd.demand(job).map_err(|error| with_state(launchd, unit, error))?;
    }
    Ok(())
}

fn host_is_up(
    launchd: &Launchd,
    unit: &Service,
    known: &Known,
    starting: &mut Starting,
    progress: &mut dyn Progress,
) -> Result<bool> {
    if let Some(record) = &known.record {
        if let Some(waiting) = &record.waiting {
            progress.waiting(&unit.id(), waiting);
        }
        match record.machine.word() {
            State::Running | State::Completed => return Ok(true),
            State::Backoff | State::Failed | State::GaveUp => return Err(failure(launchd, unit, known)),
            _ => {}
        }
    }
    late(launchd, unit, known, starting)
}

/// Not up yet; an error when it should be.
fn late(launchd: &Launchd, unit: &Service, known: &Known, starting: &Starting) -> Result<bool> {
    if starting.until.is_some_and(|until| Instant::now() >= until) {
        let message = format!("`{}` was not up in time: it is {}", unit.id(), known.state.name());
        return Err(logs::with_last_lines(launchd, Error::timed_out(message), unit, known.hosted));
    }
    Ok(false)
}

/// Why a unit is not up, with the last it said.
fn failure(launchd: &Launchd, unit: &Service, known: &Known) -> Error {
    let id = unit.id();
    let by_host = known.record.as_ref().and_then(|record| {
        let reason = record.machine.reason.clone();
        record.last_exit().map(|exit| exit.reason).or(reason)
    });
    let why = by_host
        .or_else(|| known.printed().and_then(state::last_exit).map(|exit| exit.reason))
        .unwrap_or_else(|| format!("it is {} after its start", state::raw(known.printed())));
    let timed_out =
        known.record.as_ref().is_some_and(|record| record.machine.blame.is_some()) && why.contains("within");
    let exit = if timed_out { Exit::TimedOut } else { Exit::Failed };
    let mut error = Error::new(exit, format!("`{id}` did not start: {why}"));
    if known.state == State::Backoff {
        error = error.hint(format!("it is tried again by its restart policy; `daemonctl stop {id}` ends that"));
    }
    let places = [unit.exec.first().map(std::path::PathBuf::from), unit.working_dir.clone()];
    if let Some(folder) = places.iter().flatten().find_map(|path| crate::backend::launchd::places::protected(path)) {
        error = error.hint(format!(
            "macOS keeps services out of `{}`: move it, or allow its program Full Disk Access in System Settings",
            folder.display()
        ));
    }
    logs::with_last_lines(launchd, error, unit, known.hosted)
}

/// Has the reload action delivered, and sees that the service is still up.
pub(super) fn reload(
    launchd: &Launchd,
    unit: &Service,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Effect> {
    /// The host answers in an instant, but for what its check and its command take.
    const LONGEST: Duration = Duration::from_secs(120);
    let id = unit.id();
    let Some(reload) = &unit.reload else {
        return Err(without_reload(unit));
    };
    let known = launchd.know(unit)?;
    let (Some(job), State::Running) = (&known.job, known.state) else {
        return Err(Error::new(Exit::NotRunning, format!("`{id}` was not reloaded: it is {}", known.state.name())));
    };
    let asked = crate::system::now();
    if !known.hosted {
        let ReloadAction::Signal(signal) = &reload.action else {
            return Err(Error::failed(format!("`{id}` runs without daemonctl's host, which its reload needs"))
                .hint("install its manifest again"));
        };
        if !launchd.signal(job, signal.name())? {
            return Err(Error::failed(format!("`{id}` was not reloaded: it has no process")));
        }
        let (signalled, mut slowest) = (Instant::now(), Duration::ZERO);
        loop {
            let begun = Instant::now();
            let now = launchd.know(unit)?;
            slowest = slowest.max(begun.elapsed());
            if now.pid() != known.pid() {
                return Err(failure(launchd, unit, &now).context("it did not live through its reload"));
            }
            if signalled.elapsed() >= settle(slowest) {
                return Ok(Effect::Reloaded);
            }
            crate::system::pause(super::job::PAUSE);
        }
    }
    // A host carries out one signal, however often it comes.
    if !launchd.signal(job, "HUP")? {
        return Err(Error::failed(format!("`{id}` was not reloaded: its host has just ended")));
    }
    let end = Instant::now() + LONGEST;
    loop {
        if let Some(result) = told_of_reload(launchd, &id, asked)? {
            let known = launchd.know(unit)?;
            return match result {
                Ok(()) if known.state == State::Running => Ok(Effect::Reloaded),
                Ok(()) => Err(Error::failed(format!("`{id}` is {} after its reload", known.state.name()))),
                Err(why) => Err(logs::with_last_lines(
                    launchd,
                    Error::failed(format!("`{id}` was not reloaded: {why}; it runs on")),
                    unit,
                    true,
                )),
            };
        }
        progress.waiting(&id, "waiting for its host to reload it");
        if progress.interrupted() {
            return Err(Error::failed("interrupted; the host goes on with it"));
        }
        if deadline.passed() || Instant::now() >= end {
            return Err(Error::timed_out(format!("the host of `{id}` did not say that it had reloaded it")));
        }
        crate::system::pause(super::job::PAUSE);
    }
}

/// What the host's journal tells of a reload since then.
fn told_of_reload(launchd: &Launchd, id: &str, since: jiff::Timestamp) -> Result<Option<Result<(), String>>> {
    use crate::events::{Query, What};
    let query = Query { since: since.round(jiff::Unit::Millisecond).ok(), ..Query::default() };
    let events = crate::host::events::read::all(&launchd.target.layout, &|unit| unit == id, &query)?;
    Ok(events.into_iter().find_map(|event| match event.event {
        What::Reloaded => Some(Ok(())),
        What::ReloadRefused => Some(Err(event.reason.unwrap_or_default())),
        _ => None,
    }))
}
