//! `status`: what the managers say, joined with what the machine shows of it.
//!
//! A manager tells states; drift against the receipts, processes, ports and what they use up are the same on every
//! backend and are added here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

mod drift;
mod machine;

use drift::Files;
use machine::{Glanced, Machine};

use crate::backend::{BackendKind, Detail, embedded};
use crate::error::Result;
use crate::exit::Exit;
use crate::layout::Scope;
use crate::receipt::{self, Receipt};
use crate::report::{State, Status};
use crate::service::{RestartPolicy, Service};
use crate::session::{self, Selection, Session, in_order};

/// Up to so many units are looked at in full.
const FULL: usize = 16;

/// `status --json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Statuses {
    /// The service manager that would run what is installed now.
    pub backend: Option<String>,
    /// How that was told.
    pub backend_why: Option<String>,
    /// Whose services.
    pub scope: Scope,
    /// What exit code the states mean: the worst, in the order 5, 3, 4, 0.
    pub exit: u8,
    /// Each unit; in the order in which they start.
    pub services: Vec<Status>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// The exit code for several services: the worst by the order 5, 3, 4, 0. None at all are not installed.
#[must_use]
pub fn worst(states: impl IntoIterator<Item = State>) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::ServiceFailed => 3,
        Exit::NotRunning => 2,
        Exit::NotInstalled => 1,
        _ => 0,
    };
    states.into_iter().map(State::exit).max_by_key(rank).unwrap_or(Exit::NotInstalled)
}

/// Looks at the units that the words of a command line name; no words: at all.
///
/// A name that is not installed is an answer, not an error.
pub fn look(session: &mut Session, words: &[String], full: bool) -> Result<Statuses> {
    // Out of the session while it is asked for managers, so that hundreds need not be copied.
    let receipts = std::mem::take(&mut session.receipts);
    let looked = look_at(session, &receipts, words, full);
    session.receipts = receipts;
    looked
}

/// All units, as far as a table shows them, where that is more than are looked at in full and needs no receipts.
pub fn table(session: &mut Session) -> Result<Option<Statuses>> {
    if session.offline() {
        return Ok(None);
    }
    let Some(services) = embedded::table(&session.layout)?.filter(|services| services.len() > FULL) else {
        return Ok(None);
    };
    let mut notes: Vec<String> = session.leftover_note().into_iter().collect();
    let choice = session.choice().map_err(|error| notes.push(error.to_string())).ok();
    Ok(Some(Statuses {
        backend: choice.as_ref().map(|choice| choice.backend.name().to_owned()),
        backend_why: choice.map(|choice| choice.why),
        scope: session.layout.scope,
        exit: worst(services.iter().map(|status| status.state)).code(),
        services,
        notes,
    }))
}

fn look_at(
    session: &mut Session,
    receipts: &BTreeMap<String, Receipt>,
    words: &[String],
    full: bool,
) -> Result<Statuses> {
    let selection = Selection::from_words(words)?;
    let mut notes: Vec<String> = session.leftover_note().into_iter().collect();
    let choice = session.choice().map_err(|error| notes.push(error.to_string())).ok();
    let selected: Vec<Selected<'_>> = in_order(receipts.values())
        .into_iter()
        .filter(|receipt| selection.takes(receipt))
        .flat_map(|receipt| receipt.service.each_unit().map(move |unit| (unit, receipt)))
        .filter(|(unit, receipt)| selection.takes_unit(receipt, unit))
        .collect();
    let missing = missing(session, receipts, &selection)?;
    let full = full || selected.len() <= FULL;
    let (asked, drifted, glanced) = if full {
        // Files and processes are looked at while the manager answers.
        let layout = session.layout.clone();
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| {
                let mut installed = Files { layout: &layout, manifests: BTreeMap::new() };
                let drifted = selected.iter().map(|(unit, receipt)| installed.drift(unit, receipt)).collect::<Vec<_>>();
                let glanced = Glanced::at(&selected);
                // Read now rather than when the answer is written down.
                let _ = crate::system::local_time(crate::system::now());
                (drifted, glanced)
            });
            let asked = ask(session, &selected, Detail::Full);
            let (drifted, glanced) = seen.join().unwrap_or_default();
            (asked, drifted, glanced)
        })
    } else {
        (ask(session, &selected, Detail::Table), Vec::new(), Glanced::default())
    };
    let mut services = asked?;
    for ((status, mut drifted), (unit, receipt)) in services.iter_mut().zip(drifted).zip(&selected) {
        drifted.entries(session, unit, receipt)?;
        status.drift = Some(drifted.what);
        status.drift_files = drifted.files;
        status.notes.extend(drifted.notes);
    }
    let uncounted = |(status, (unit, _)): (&Status, &Selected<'_>)| {
        status.state == State::Running && status.restarts.is_none() && unit.restart.policy != RestartPolicy::Never
    };
    if !full && services.iter().zip(&selected).any(uncounted) {
        notes.push(
            "restarts of running services are not asked for in a table this long: `--full` shows them".to_owned(),
        );
    }
    let mut machine = Machine { layout: &session.layout, glanced };
    for (status, (unit, receipt)) in services.iter_mut().zip(&selected) {
        machine.join(status, unit, receipt, full);
    }
    let backend = choice.as_ref().map(|choice| choice.backend.name().to_owned());
    for (name, near) in missing {
        notes.extend(near.map(|near| format!("`{name}` is not installed: {near}")));
        if let Some(choice) = choice.as_ref().filter(|_| !session.offline())
            && let Ok(manager) = session.manager(choice.backend)
        {
            notes.extend(manager.stranger(&name));
        }
        services.push(Status::not_installed(&name, backend.as_deref().unwrap_or("none"), session.layout.scope));
    }
    let exit = if services.is_empty() { Exit::Done } else { worst(services.iter().map(|status| status.state)) };
    Ok(Statuses {
        backend,
        backend_why: choice.map(|choice| choice.why),
        scope: session.layout.scope,
        exit: exit.code(),
        services,
        notes,
    })
}

/// A unit that is looked at, and the receipt of its service.
type Selected<'a> = (Cow<'a, Service>, &'a Receipt);

/// The names that nothing installed has, each with what may have been meant. A manifest of which nothing is installed is
/// an error, since it is not known what it would be called.
fn missing(
    session: &Session,
    receipts: &BTreeMap<String, Receipt>,
    selection: &Selection,
) -> Result<Vec<(String, Option<String>)>> {
    let missing = selection.missing(receipts);
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    // Those that the words name may be all that was read.
    let all = receipt::all(&session.layout)?;
    if !missing.manifests.is_empty() {
        return Err(missing.error(&all, session.layout.scope));
    }
    let near = |name: String| {
        let near = session::near(&all, &name);
        (name, near)
    };
    Ok(missing.names.into_iter().map(near).collect())
}

/// Asks each manager once.
fn ask(session: &mut Session, selected: &[Selected<'_>], detail: Detail) -> Result<Vec<Status>> {
    let mut groups: BTreeMap<BackendKind, Vec<Service>> = BTreeMap::new();
    for (unit, receipt) in selected {
        groups.entry(receipt.backend).or_default().push(Service::clone(unit));
    }
    let mut answers = BTreeMap::new();
    for (kind, units) in groups {
        answers.insert(kind, session.manager(kind)?.status(&units, detail)?.into_iter());
    }
    let next = |(unit, receipt): &Selected<'_>| {
        let scope = receipt.scope;
        let answer = answers.get_mut(&receipt.backend).and_then(Iterator::next);
        answer.unwrap_or_else(|| Status::not_installed(&unit.id(), receipt.backend.name(), scope))
    };
    Ok(selected.iter().map(next).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_state_is_the_exit_code() {
        let code = |states: &[State]| worst(states.iter().copied()).code();
        assert_eq!(code(&[State::Running, State::Completed]), 0);
        assert_eq!(code(&[State::Running, State::NotInstalled]), 4);
        assert_eq!(code(&[State::NotInstalled, State::Stopped, State::Running]), 3);
        assert_eq!(code(&[State::Stopped, State::Backoff, State::NotInstalled]), 5);
        assert_eq!(code(&[]), 4);
    }
}
