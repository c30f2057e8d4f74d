//! The verbs, over the control socket.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{live::Embedded, logs};
use crate::backend::{Deadline, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::host::client;
use crate::host::control::{Answer, Ask, Units};
use crate::layout::Layout;
use crate::report::Effect;
use crate::service::Service;

/// The last lines of a service that failed, shown with the failure.
const LAST_LINES: usize = 10;

/// How long the supervisor may be silent while somebody might have pressed Ctrl-C unseen.
const LOOK_UP: Duration = Duration::from_secs(1);

/// How often a supervisor is started that is gone when it is asked.
const TRIES: u32 = 3;

/// One that is there and gone is asked again after a millisecond, then after two and so on, until a pause would be longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// Asks the supervisor where one runs, and takes no for an answer only as an error. False: none runs.
pub(super) fn ask_if_running(layout: &Layout, ask: &Ask) -> Result<bool> {
    let mut pause = Duration::from_millis(1);
    loop {
        let Some(mut client) = client::connect(layout)? else { return Ok(false) };
        let (mut heard, mut refusal) = (false, None);
        let answered = client.send(ask.clone()).and_then(|()| {
            client.answers(
                || Some(LOOK_UP * 30),
                |answer| {
                    heard = true;
                    match answer {
                        Some(Answer::Refused(trouble)) => {
                            refusal = Some(Error::from(trouble));
                            Ok(true)
                        }
                        Some(_) => Ok(true),
                        None => Err(Error::timed_out("the supervisor does not answer")),
                    }
                },
            )
        });
        match answered {
            Ok(()) => return refusal.map_or(Ok(true), Err),
            // It ended just then, and there is none now or soon another. One that was just killed is still connected to
            // while the kernel takes it apart.
            Err(_) if !heard && pause <= LONGEST_PAUSE => std::thread::sleep(pause),
            Err(error) => return Err(error),
        }
        pause *= 2;
    }
}

/// Has the supervisor, started if need be, do something with the units.
pub(super) fn act(
    manager: &mut Embedded,
    units: &[Service],
    ask: fn(Units) -> Ask,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let ids: Vec<String> = units.iter().map(Service::id).collect();
    let service_of = |_: &Embedded, id: &str| units.iter().find(|unit| unit.id() == id).cloned();
    act_on(manager, ids, &service_of, ask, deadline, progress)
}

/// The same with units of which only the names are known; `service_of` is asked for those that failed.
pub(super) fn act_on(
    manager: &mut Embedded,
    ids: Vec<String>,
    service_of: &dyn Fn(&Embedded, &str) -> Option<Service>,
    ask: fn(Units) -> Ask,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    let mut results = BTreeMap::new();
    let ask = ask(Units { units: ids.clone() });
    let reload = matches!(ask, Ask::Reload(_));
    // Specs that have changed count from the start that is now asked for.
    let first = if matches!(ask, Ask::Start(_) | Ask::Restart(_)) { Ask::Load } else { Ask::Hello };
    let asked = reach(manager, &first).and_then(|client| talk(manager, client, ask, deadline, progress, &mut results));
    let failure = asked.err();
    ids.into_iter()
        .map(|id| {
            let result = results.remove(&id).unwrap_or_else(|| Err(lost(&id, failure.as_ref())));
            let result = result.map_err(|error| match service_of(manager, &id) {
                // That nothing can be reloaded is in no log.
                Some(unit) if reload && unit.reload.is_none() => error,
                Some(unit) => with_last_lines(error, &manager.target.layout, &unit),
                None => error,
            });
            (id, result)
        })
        .collect()
}

/// The supervisor, started if need be, which knows the specs that count from the start that is now asked for.
fn reach(manager: &Embedded, first: &Ask) -> Result<client::Client> {
    for _ in 0..TRIES {
        manager.ensure()?;
        ask_if_running(&manager.target.layout, first)?;
        if let Some(client) = client::connect(&manager.target.layout)? {
            return Ok(client);
        }
    }
    Err(Error::failed("the supervisor ends as soon as it is started")
        .hint(format!("its log is `{}`", manager.target.layout.logs.join("supervisor.log").display())))
}

/// A unit that the answer did not come to.
fn lost(id: &str, failure: Option<&Error>) -> Error {
    let Some(failure) = failure else {
        return Error::failed(format!("the supervisor did not say what became of `{id}`"));
    };
    let mut error = Error::new(failure.exit(), failure.to_string());
    for hint in failure.hints() {
        error = error.hint(hint.clone());
    }
    for detail in failure.details() {
        error = error.detail(detail.clone());
    }
    error
}

fn talk(
    manager: &mut Embedded,
    mut client: client::Client,
    ask: Ask,
    deadline: Deadline,
    progress: &mut dyn Progress,
    results: &mut BTreeMap<String, Result<Effect>>,
) -> Result<()> {
    client.send(ask)?;
    let mut refusal = None;
    let notes = &mut manager.notes;
    client.answers(
        || Some(deadline.left().map_or(LOOK_UP, |left| left.min(LOOK_UP))),
        |answer| {
            match answer {
                Some(Answer::Waiting { unit, what }) => progress.waiting(&unit, &what),
                Some(Answer::Unit { unit, effect: Some(effect), note, .. }) => {
                    notes.extend(note);
                    results.insert(unit, Ok(effect));
                }
                Some(Answer::Unit { unit, error: Some(trouble), .. }) => {
                    results.insert(unit, Err(Error::from(trouble)));
                }
                Some(Answer::Refused(trouble)) => refusal = Some(Error::from(trouble)),
                Some(Answer::Hello { .. } | Answer::Unit { .. } | Answer::Done) | None => {}
            }
            if progress.interrupted() {
                return Err(Error::failed("interrupted; the supervisor goes on with what was asked"));
            }
            if deadline.passed() {
                return Err(Error::timed_out("it is not done in the time that was given")
                    .hint("the supervisor goes on with it; `daemonctl status` shows how far it is"));
            }
            Ok(true)
        },
    )?;
    refusal.map_or(Ok(()), Err)
}

/// Stops; where no supervisor runs and nothing lives, there is nothing to stop, and only the intent is kept.
pub(super) fn stop(
    manager: &mut Embedded,
    units: &[Service],
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> Vec<UnitResult> {
    match client::is_running(&manager.target.layout).then_some(true).map_or_else(|| manager.living_alone(units), Ok) {
        Ok(false) => {}
        Ok(true) => return act(manager, units, Ask::Stop, deadline, progress),
        Err(error) => return units.iter().map(|unit| (unit.id(), Err(lost(&unit.id(), Some(&error))))).collect(),
    }
    let ids: Vec<String> = units.iter().map(Service::id).collect();
    let installed: Vec<String> = ids.iter().filter(|id| manager.is_installed(id)).cloned().collect();
    manager.keep_down(&installed);
    let result = |id: String| {
        if installed.contains(&id) {
            return (id, Ok(Effect::Unchanged));
        }
        let error = Error::new(Exit::NotInstalled, format!("`{id}` is not installed"));
        (id, Err(error))
    };
    ids.into_iter().map(result).collect()
}

fn with_last_lines(mut error: Error, layout: &Layout, unit: &Service) -> Error {
    if matches!(error.exit(), Exit::NotInstalled | Exit::NotPermitted) || !error.details().is_empty() {
        return error;
    }
    for line in logs::last_lines(layout, unit, LAST_LINES) {
        error = error.detail(line);
    }
    error
}
