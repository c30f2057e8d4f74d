//! What an install or a removal wants, as a goal; and the machine as it is, as a goal to come back to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Options, Prepared};
use crate::backend::windows::config::service_at;
use crate::backend::{Artifact, Backend, Body, Target, UnitState};
use crate::error::Result;
use crate::goal::{FileGoal, Goal, Now, RestartIf, Run, UnitGoal};
use crate::layout::{Layout, Scope};
use crate::receipt::{Kept, Receipt};
use crate::secrets;
use crate::service::{Service, Start};
use crate::session::Session;
use crate::system::{self, files::Found};

pub(crate) fn file_goal(artifact: &Artifact) -> Result<FileGoal> {
    let body = match &artifact.body {
        Body::File { content, mode, .. } => own(content.clone(), *mode),
        Body::Secrets { entries, format } => own(format.content(&secrets::values(entries)?)?, 0o600),
        Body::Link { target } => Kept::Link { target: target.clone() },
        Body::Scm(config) => Kept::Scm(config.clone()),
    };
    let definition = matches!(artifact.body, Body::File { definition: true, .. });
    Ok(FileGoal { body: Some(body), unit: artifact.unit.clone(), definition })
}

/// A file of our own: owned by who runs the command.
pub(crate) fn own(content: Vec<u8>, mode: u32) -> Kept {
    let (uid, gid) = system::machine::ids();
    Kept::File { content, mode, uid, gid }
}

/// The machine's files are root's, whoever looks what root would change.
pub(super) fn as_root(goal: &mut Goal) {
    let ours = system::machine::ids();
    for file in goal.files.values_mut() {
        if let Some(Kept::File { uid, gid, .. }) = &mut file.body
            && (*uid, *gid) == ours
        {
            (*uid, *gid) = (0, 0);
        }
    }
}

pub(super) const fn absent() -> FileGoal {
    FileGoal { body: None, unit: None, definition: false }
}

pub(super) fn unit_goal(service: Service, options: &Options, by_files: bool, offline: bool) -> UnitGoal {
    let enabled = (!by_files && !offline).then_some(service.start != Start::Manual);
    let run = if options.no_start || offline || service.start == Start::Manual { Run::AsIs } else { Run::Up };
    UnitGoal { enabled, service, present: true, run, restart: RestartIf::FilesChange }
}

/// Everything of a receipt goes; adopted files come back.
pub(super) fn retire(receipt: &Receipt, goal: &mut Goal) {
    for installed in &receipt.artifacts {
        let file = FileGoal {
            body: installed.replaced.clone(),
            unit: installed.unit.clone(),
            definition: installed.definition,
        };
        goal.files.insert(installed.path.clone(), file);
    }
    // A service that was adopted comes back as it was, with the start that it had.
    let comes_back = receipt.artifacts.iter().any(|installed| matches!(installed.replaced, Some(Kept::Scm(_))));
    for service in receipt.service.units() {
        goal.units.push(UnitGoal {
            service,
            present: false,
            run: Run::Down,
            enabled: gone(receipt).filter(|_| !comes_back),
            restart: RestartIf::FilesChange,
        });
    }
}

/// What goes does not start at boot: its links are taken away. Where the manager keeps that in a data base of its own,
/// which outlives the service, nothing is switched off; the manager forgets it.
fn gone(receipt: &Receipt) -> Option<bool> {
    crate::backend::find(receipt.backend).is_none_or(Backend::enables_by_files).then_some(false)
}

/// What an earlier version of the service had and this one has not.
pub(super) fn retire_leftovers(receipt: &Receipt, goal: &mut Goal) {
    for installed in &receipt.artifacts {
        goal.files.entry(installed.path.clone()).or_insert_with(|| FileGoal {
            body: installed.replaced.clone(),
            unit: installed.unit.clone(),
            definition: installed.definition,
        });
    }
    for service in receipt.service.units() {
        if !goal.units.iter().any(|unit| unit.service.id() == service.id()) {
            goal.units.push(UnitGoal {
                service,
                present: false,
                run: Run::Down,
                enabled: gone(receipt),
                restart: RestartIf::FilesChange,
            });
        }
    }
}

/// The folders that must be made, outermost first.
pub(crate) fn missing_folders(layout: &Layout, goal: &Goal, target: &Target) -> Result<Vec<(PathBuf, u32)>> {
    let mut missing: BTreeMap<PathBuf, u32> = BTreeMap::new();
    for (path, file) in &goal.files {
        if file.body.is_none() || service_at(path).is_some() {
            continue;
        }
        // What lies below daemonctl's own state is private or not by the file; secrets have a folder of their own.
        let mode = if path.starts_with(target.layout.secrets()) { 0o700 } else { 0o755 };
        for folder in path.ancestors().skip(1) {
            if folder.parent().is_none()
                || missing.contains_key(folder)
                || !matches!(system::files::look(&layout.on_disk(folder))?, Found::Absent)
            {
                break;
            }
            missing.insert(folder.to_owned(), mode);
        }
    }
    Ok(missing.into_iter().collect())
}

/// The machine as it is, as a goal to come back to.
pub(crate) fn before(goal: &Goal, now: &Now, receipts: &[Receipt]) -> Goal {
    let old_units: BTreeMap<String, Service> =
        receipts.iter().flat_map(|receipt| receipt.service.units()).map(|unit| (unit.id(), unit)).collect();
    Goal {
        files: goal
            .files
            .iter()
            .map(|(path, file)| {
                let body = now.files.get(path).cloned().flatten();
                (path.clone(), FileGoal { body, unit: file.unit.clone(), definition: file.definition })
            })
            .collect(),
        units: goal
            .units
            .iter()
            .map(|unit| {
                let id = unit.service.id();
                let state = now.units.get(&id);
                // Somebody deleted its definition: it may run, but once it is down nothing can bring it back.
                let mut definitions = goal.files.iter().filter(|(_, file)| {
                    let unit = file.unit.as_deref();
                    file.definition && (unit == Some(id.as_str()) || unit == Some(unit_name(&id)))
                });
                let lost = definitions.clone().next().is_some()
                    && !definitions.any(|(path, _)| now.files.get(path).is_some_and(Option::is_some));
                let up = state.is_some_and(UnitState::is_up);
                UnitGoal {
                    // The old definition's timeouts and readiness are those that the way back has to wait for.
                    service: old_units.get(&id).unwrap_or(&unit.service).clone(),
                    present: state.is_some_and(|state| state.loaded),
                    run: match (lost, up) {
                        (true, true) => Run::AsIs,
                        (false, true) => Run::Up,
                        (_, false) => Run::Down,
                    },
                    enabled: unit.enabled.filter(|_| !lost).map(|_| state.is_some_and(|state| state.enabled)),
                    restart: RestartIf::PidIsNot(state.and_then(|state| state.pid)),
                }
            })
            .collect(),
        folders: goal.emptied.iter().rev().map(|folder| (folder.clone(), 0o755)).collect(),
        emptied: goal.folders.iter().rev().map(|(folder, _)| folder.clone()).collect(),
        linger: goal.linger.and(now.linger),
    }
}

/// The service of an instance: its template is the definition of all of them.
fn unit_name(id: &str) -> &str {
    id.split_once('@').map_or(id, |(name, _)| name)
}

pub(super) fn wants_linger(session: &Session, prepared: &Prepared) -> Option<bool> {
    let boots = prepared.services.iter().any(|(service, _)| service.start != Start::Manual);
    (session.layout.scope == Scope::User && boots && !session.offline()).then_some(true)
}
