//! stop: a job that launchd runs by itself is unloaded, since `KeepAlive` would bring it back; its property list stays, and
//! so does its place at the next boot. A host is only told to end: it ends with success, after which launchd leaves it
//! loaded and down. Either way nothing of the service is left when it is done.

use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::cause;
use super::job::{Known, PAUSE};
use super::manager::Launchd;
use super::order::run_down;
use crate::backend::launchd::{hosted, names};
use crate::backend::{Deadline, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::host::sys::{self, Identity};
use crate::report::{Effect, State};
use crate::service::{KillScope, Service};
use crate::system::processes;

/// A host that does not begin to stop in this time has not heard.
const HEARS: Duration = Duration::from_secs(2);

/// What the kernel may take to end what was killed.
const GONE: Duration = Duration::from_secs(5);

pub(super) fn stop(
    launchd: &mut Launchd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let launchd = &*launchd;
    run_down(units, deadline, progress, |at, progress| one(launchd, &units[at], false, deadline, progress))
}

/// Stops and unloads.
pub(super) fn take_down(
    launchd: &mut Launchd,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let launchd = &*launchd;
    run_down(units, deadline, progress, |at, progress| one(launchd, &units[at], true, deadline, progress))
}

fn one(
    launchd: &Launchd,
    unit: &Service,
    unload: bool,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<Effect> {
    let known = launchd.know(unit)?;
    let Some(job) = &known.job else {
        return Ok(if sweep(unit, &[])? { Effect::Stopped } else { Effect::Unchanged });
    };
    step_aside(unit, &known)?;
    let family = family(&known);
    let at_rest = job.printed.pid.is_none()
        && matches!(known.state, State::Stopped | State::Failed | State::GaveUp | State::Completed);
    let ended = if known.hosted && !unload && job.printed.pid.is_some() {
        end_host(launchd, unit, &known, deadline, progress)
    } else if known.hosted && !unload && known.state == State::Stopped {
        return Ok(Effect::Unchanged);
    } else {
        launchd.unload(unit, job, deadline, progress)
    };
    if let Err(error) = ended {
        if error.exit() != Exit::TimedOut {
            return Err(error);
        }
        let state = launchd.know(unit).map_or("in an unknown state", |known| known.state.name());
        return Err(cause::no_answer(error, &unit.id(), state));
    }
    let left = sweep(unit, &family)?;
    Ok(if at_rest && !left { Effect::Unchanged } else { Effect::Stopped })
}

/// launchd ends the process group of a job with it. A command that runs inside the service that it ends, to restart or
/// to update it, leaves that group first: nobody else would bring the service back. A host finds its whole tree,
/// whatever group that is in, so that there it is refused.
fn step_aside(unit: &Service, known: &Known) -> Result<()> {
    let inside = crate::system::env("XPC_SERVICE_NAME").is_some_and(|label| label == names::label(unit));
    let Some(main) = known.pid().filter(|_| inside) else { return Ok(()) };
    // Who leads a group is in none of launchd's, unless it is the job itself.
    if !known.hosted && main != std::process::id() && matches!(nix::unistd::setsid(), Ok(_) | Err(Errno::EPERM)) {
        return Ok(());
    }
    let id = unit.id();
    Err(Error::failed(format!(
        "`{id}` is left as it is: this command runs inside it, and would be ended with it before it is done"
    ))
    .hint("run it from outside the service; to be started anew, the service may just end, by its `restart.policy`"))
}

/// Tells the host to end, and waits until launchd says that it has.
fn end_host(
    launchd: &Launchd,
    unit: &Service,
    known: &Known,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Result<()> {
    let Some(job) = &known.job else { return Ok(()) };
    let first = job.printed.pid;
    let until = Instant::now() + hosted::stop_timeout(unit) + GONE;
    let mut told: Option<Instant> = None;
    progress.waiting(&unit.id(), "waiting for its host to stop it");
    loop {
        let now = launchd.know(unit)?;
        let Some(job) = &now.job else { return Ok(()) };
        // One that died in between is on its way up again, and must not be.
        if job.printed.pid != first {
            return match now.state {
                State::Stopped | State::Completed => Ok(()),
                _ => launchd.unload(unit, job, deadline, progress),
            };
        }
        let heard = now.state == State::Stopping;
        if told.is_none_or(|at| !heard && at.elapsed() >= HEARS) {
            launchd.signal(job, "TERM")?;
            told = Some(Instant::now());
        }
        if progress.interrupted() {
            return Err(Error::failed("interrupted; the host goes on stopping it"));
        }
        if deadline.passed() {
            return Err(Error::timed_out(format!(
                "`{}` is not down in the time that was given: it is {}",
                unit.id(),
                now.state.name()
            )));
        }
        if Instant::now() >= until {
            // The host does not answer: launchd ends it, and what it leaves behind is swept away.
            return launchd.unload(unit, job, deadline, progress);
        }
        crate::system::pause(PAUSE);
    }
}

/// The processes of a service, looked at while it runs: what has left its group is nobody's to tell afterwards.
fn family(known: &Known) -> Vec<Identity> {
    let host = known.pid();
    let main = known.record.as_ref().and_then(|record| record.main).map(|main| main.pid.cast_unsigned());
    let mut pids: Vec<u32> = Vec::new();
    for pid in [host, main].into_iter().flatten() {
        pids.extend(processes::family_of(pid));
    }
    pids.sort_unstable();
    pids.dedup();
    // See `step_aside`.
    pids.retain(|pid| *pid != std::process::id());
    pids.into_iter().filter_map(|pid| sys::identify(i32::try_from(pid).ok()?)).collect()
}

/// Ends what launchd left of a service: it kills the group of the main process, and not what left that. What nobody saw
/// is known by its label, which launchd puts into the environment of a job, and every child inherits. True: something was
/// there.
fn sweep(unit: &Service, family: &[Identity]) -> Result<bool> {
    if unit.stop.kill != KillScope::Tree {
        return Ok(false);
    }
    let marked = processes::with_variable("XPC_SERVICE_NAME", &names::label(unit));
    let marked = marked.into_iter().filter_map(|pid| sys::identify(i32::try_from(pid).ok()?));
    let all: Vec<Identity> = family.iter().copied().chain(marked).collect();
    let left = || -> Vec<i32> { all.iter().filter(|who| sys::lives(**who)).map(|who| who.pid).collect() };
    if left().is_empty() {
        return Ok(false);
    }
    let until = Instant::now() + GONE;
    sys::kill_all(&left(), None);
    loop {
        let left = left();
        if left.is_empty() {
            return Ok(true);
        }
        if Instant::now() >= until {
            let list: Vec<String> = left.iter().map(ToString::to_string).collect();
            return Err(Error::failed(format!(
                "`{}` was stopped, and processes of it are still there: {}",
                unit.id(),
                list.join(", ")
            )));
        }
        crate::system::pause(PAUSE);
    }
}
