//! Status: what launchd says, in daemonctl's words. What the host of a service knows is joined to it by `status` itself.

use super::job::Known;
use super::manager::Launchd;
use crate::backend::BackendKind;
use crate::backend::launchd::printed::job::Last;
use crate::backend::launchd::state::Process;
use crate::backend::launchd::{names, render, state};
use crate::error::Result;
use crate::host::logs::format::stamp;
use crate::report::{State, Status};
use crate::service::{Kind, ScheduleWhen, Service};

pub(super) fn status(launchd: &Launchd, units: &[Service]) -> Result<Vec<Status>> {
    let disabled = launchd.disabled()?;
    let known = launchd.know_all(units)?;
    let one = |(unit, known): (&Service, Known)| {
        let off = disabled.get(&names::label(unit)) == Some(&true);
        one(launchd, unit, &known, !off)
    };
    Ok(units.iter().zip(known).map(one).collect())
}

fn one(launchd: &Launchd, unit: &Service, known: &Known, on: bool) -> Status {
    let mut status = Status::not_installed(&unit.id(), BackendKind::Launchd.name(), launchd.target.scope);
    status.state = known.state;
    if known.state == State::NotInstalled {
        return status;
    }
    // launchd says `running` of each short life in a loop, which would only mislead.
    let misled = known.state == State::Backoff && known.pid().is_some();
    status.raw_state = (!misled).then(|| state::raw(known.printed()));
    status.wanted = state::wanted(known.state);
    status.enabled = Some(on && known.installed);
    status.pid = if known.process == Process::Gone { None } else { known.pid() };
    let uptime = if let Process::Lives(uptime) = known.process { Some(uptime) } else { None };
    status.uptime = uptime.map(|uptime| uptime.as_secs_f64());
    status.since = uptime
        .and_then(|uptime| crate::system::now().checked_sub(jiff::SignedDuration::try_from(uptime).ok()?).ok())
        .map(stamp);
    if let Some(job) = known.printed() {
        // Of a host every further run is one that launchd had to start it for.
        status.restarts = if unit.kind == Kind::Service { state::restarts(job) } else { Some(0) };
        status.last_exit = state::last_exit(job);
        if let Some(why) = &job.pended {
            status.notes.push(format!(
                "launchd holds its start back ({why}): it does so to save power, and for what is loaded from a login \
                 without a screen; `daemonctl start {}` starts it",
                unit.id()
            ));
        }
        if known.state == State::Backoff && !known.hosted {
            let runs = job.runs.map_or_else(String::new, |runs| format!(", {runs} times so far"));
            let apart = job.minimum_runtime.unwrap_or(10);
            status.notes.push(format!(
                "launchd starts it anew whenever it ends{runs}, at least {apart} s apart, and never gives up; `limit` \
                 below `[service.{}.restart]` would",
                unit.name
            ));
            if status.pid.is_some() {
                let proof = state::proof(job).as_secs();
                status.notes.push(format!("it counts as running once its process has lived for {proof} s"));
            }
            if matches!(job.last, Last::Code(78)) {
                status.notes.push("78 is launchd's: it could not even start the program".to_owned());
            }
        }
        if let Some(from) = &job.path
            && std::path::Path::new(from) != names::file(unit, &launchd.target.layout)
        {
            status.notes.push(format!("launchd has it from `{from}`"));
        }
    }
    if !on && known.installed {
        status.notes.extend(disabled_note(unit));
    }
    if unit.kind == Kind::Task && known.job.is_some() {
        status.next_run = next_run(unit);
    }
    let (stdout, stderr) = render::outputs(unit, &launchd.target);
    status.logs = Some(match (known.hosted, stdout == stderr) {
        (true, _) => launchd.target.layout.logs_of(&unit.id()).join("current.log").display().to_string(),
        (false, true) => stdout.display().to_string(),
        (false, false) => format!("{}, {}", stdout.display(), stderr.display()),
    });
    status
}

/// A service that should start at the boot, and will not: by `disable`, or by the settings of the system.
fn disabled_note(unit: &Service) -> Option<String> {
    (unit.start != crate::service::Start::Manual).then(|| {
        format!(
            "it is disabled, here or in System Settings; `daemonctl enable {}` makes it start at boot again",
            unit.id()
        )
    })
}

/// When launchd will run a task next, by its calendar. When an interval began nobody tells.
fn next_run(unit: &Service) -> Option<String> {
    match &unit.schedule.as_ref()?.when {
        ScheduleWhen::Calendar(calendar) => {
            let now = crate::system::now();
            let zone = crate::system::local_time(now).time_zone().clone();
            crate::host::schedule::after(calendar, now, &zone).map(stamp)
        }
        ScheduleWhen::Every(_) => None,
    }
}
