//! `uninstall`: the receipts played backwards.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::goals::{absent, before, retire};
use super::ownership::Owned;
use super::{Planned, effects};
use crate::apply::{self, Edge, Effects, Intent};
use crate::backend::{BackendKind, Deadline, Progress};
use crate::error::Result;
use crate::goal::Goal;
use crate::journal::Direction;
use crate::manifest;
use crate::plan;
use crate::receipt::{Fingerprint, Installed, Receipt};
use crate::session::Session;
use crate::system::{self, files::Found, host_binary};

/// Plans the removal of installed services, from their receipts alone.
pub fn plan_removal(
    session: &mut Session,
    kind: BackendKind,
    receipts: &[Receipt],
    progress: &mut dyn Progress,
) -> Result<Planned> {
    let mut goal = Goal::default();
    let gone: BTreeSet<&str> = receipts.iter().map(|receipt| receipt.service.name.as_str()).collect();
    let last = session.receipts.keys().all(|name| gone.contains(name.as_str()));
    for receipt in receipts {
        retire(receipt, &mut goal);
        goal.files.insert(session.layout.receipt(&receipt.service.name), absent());
        goal.emptied.extend(receipt.folders.iter().rev().cloned());
    }
    if last && session.receipts.values().any(|receipt| receipt.linger) {
        goal.linger = Some(false);
    }
    let mut edge = session.edge(kind, Deadline::after(None), progress)?;
    let now = apply::look(&mut edge, &goal)?;
    let mut notes = Vec::new();
    for receipt in receipts {
        for installed in &receipt.artifacts {
            if !is_as_installed(&mut edge, installed)? {
                notes.push(format!(
                    "`{}` had been changed since it was installed; it is removed all the same",
                    installed.path.display()
                ));
            }
        }
    }
    let owned = Owned { replaced: Vec::new(), pruned: receipts.to_vec() };
    let before = before(&goal, &now, &owned.all());
    let steps = plan::converge(&now, &goal);
    let units = effects(&goal, &owned, &steps);
    Ok(Planned { backend: kind, goal, before, now, steps, units, artifacts: Vec::new(), notes })
}

/// Whether an artifact is what install put there, or gone.
fn is_as_installed(edge: &mut Edge<'_>, installed: &Installed) -> Result<bool> {
    if let Fingerprint::Scm(config) = &installed.what {
        return Ok(edge.manager.entry(&installed.path, Some(config))?.is_none_or(|there| there == **config));
    }
    let found = system::files::look(&edge.layout.on_disk(&installed.path))?;
    Ok(matches!(found, Found::Absent) || installed.what.matches(&found))
}

/// Applies the plan of a removal, under the scope's lock, which the caller holds. A removal that is killed is
/// finished by the next command; one that fails (a service that cannot be stopped) is taken back.
pub fn uninstall(
    session: &mut Session,
    planned: &mut Planned,
    command: String,
    progress: &mut dyn Progress,
    wait: Option<Duration>,
) -> Result<Effects> {
    let intent = Intent {
        command,
        backend: planned.backend,
        goal: &planned.goal,
        before: &planned.before,
        direction: Direction::Forward,
    };
    let mut edge = session.edge(planned.backend, Deadline::after(wait), progress)?;
    let effects = apply::apply(&mut edge, &intent, &planned.steps)?;
    let notes = std::mem::take(&mut edge.notes);
    planned.notes.extend(notes);
    Ok(effects)
}

/// Removes what the host captured of the services, which no rollback could bring back: it is done after the removal.
pub fn purge(session: &Session, receipts: &[Receipt]) -> Result<Vec<PathBuf>> {
    let mut purged = Vec::new();
    for unit in receipts.iter().flat_map(|receipt| receipt.service.units()) {
        let mut folders = manifest::folders(&unit, &session.layout);
        folders.push(session.layout.logs_of(&unit.id()));
        for folder in folders {
            if system::files::remove_tree(&session.layout.on_disk(&folder))? {
                purged.push(folder);
            }
        }
        let events = crate::host::events::of_shim(&session.layout, &unit.id());
        system::files::remove(&crate::host::events::older(&events))?;
        system::files::remove(&events)?;
    }
    Ok(purged)
}

/// Removes the copies of daemonctl that no installed service runs; the last of them with the last service.
pub fn prune_host_binaries(session: &Session) -> Result<()> {
    if session.receipts.is_empty() {
        return host_binary::remove_all(&session.layout);
    }
    let used: Vec<PathBuf> = session.receipts.values().filter_map(|receipt| receipt.host_binary.clone()).collect();
    host_binary::prune(&session.layout, &used).map(drop)
}
