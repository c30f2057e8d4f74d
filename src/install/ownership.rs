//! Whose services, files and names these are: a service belongs to the manifest that installed it, and what somebody
//! else made is left alone unless `--adopt` takes it over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Options, Prepared};
use crate::apply::Edge;
use crate::backend::Backend;
use crate::backend::windows::config::service_at;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::goal::{Goal, Now};
use crate::receipt::{Kept, Receipt};
use crate::session::Session;
use crate::system::{self, files::Found};

/// The receipts that an install deals with.
pub(super) struct Owned {
    /// Of services that the manifest has.
    pub(super) replaced: Vec<Receipt>,
    /// Of services that left it and are to be removed.
    pub(super) pruned: Vec<Receipt>,
}

impl Owned {
    pub(super) fn of(
        session: &Session,
        prepared: &Prepared,
        options: &Options,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let mut replaced = Vec::new();
        for (service, _) in &prepared.services {
            let Some(receipt) = session.receipts.get(&service.name) else { continue };
            if receipt.manifest != prepared.manifest && !options.adopt {
                return Err(Error::failed(format!(
                    "`{}` of `{}` is installed already, by `{}`",
                    service.name,
                    prepared.manifest.display(),
                    receipt.manifest.display()
                ))
                .hint(format!("give it another name, or `daemonctl uninstall {}` first", service.name))
                .hint("`--adopt` takes it over from the other manifest"));
            }
            if receipt.backend != prepared.target.backend {
                return Err(Error::failed(format!(
                    "`{}` is installed on the {} backend, this install is for {}",
                    service.name,
                    receipt.backend.name(),
                    prepared.target.backend.name()
                ))
                .hint(format!(
                    "`daemonctl uninstall {}` first, or say `--backend {}`",
                    service.name,
                    receipt.backend.name()
                )));
            }
            replaced.push(receipt.clone());
        }
        let left: Vec<&Receipt> = session
            .receipts
            .values()
            .filter(|receipt| {
                receipt.manifest == prepared.manifest
                    && !prepared.services.iter().any(|(service, _)| service.name == receipt.service.name)
            })
            .collect();
        let names: Vec<_> = left.iter().map(|receipt| format!("`{}`", receipt.service.name)).collect();
        if !left.is_empty() && !options.prune {
            notes.push(format!("{} left the manifest and stays installed; `--prune` removes it", names.join(", ")));
        }
        let pruned = if options.prune {
            left.into_iter().filter(|receipt| receipt.backend == prepared.target.backend).cloned().collect()
        } else {
            Vec::new()
        };
        Ok(Self { replaced, pruned })
    }

    pub(super) fn all(&self) -> Vec<Receipt> {
        self.replaced.iter().chain(&self.pruned).cloned().collect()
    }
}

/// Two services must not want the same native name, whichever manifests they come from.
pub(super) fn check_names(
    session: &Session,
    backend: &dyn Backend,
    prepared: &Prepared,
    options: &Options,
) -> Result<()> {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for receipt in session.receipts.values().filter(|receipt| receipt.backend == backend.kind()) {
        if prepared.services.iter().any(|(service, _)| service.name == receipt.service.name)
            || (options.prune && receipt.manifest == prepared.manifest)
        {
            continue;
        }
        for name in backend.native_names(&receipt.service, &prepared.target)? {
            taken.insert(name, format!("`{}` of `{}`", receipt.service.name, receipt.manifest.display()));
        }
    }
    for (service, _) in &prepared.services {
        for name in backend.native_names(service, &prepared.target)? {
            if let Some(other) = taken.insert(name.clone(), format!("`{}`", service.name)) {
                return Err(Error::new(
                    Exit::Manifest,
                    format!("`{}` and {other} would both be `{name}`", service.name),
                )
                .hint("give one of them another name"));
            }
        }
    }
    Ok(())
}

/// What is there and is not ours: kept for the receipt with `--adopt`, else a conflict.
pub(super) fn adopt(
    edge: &Edge<'_>,
    goal: &Goal,
    now: &Now,
    ours: &BTreeMap<&Path, Option<&Kept>>,
    owned: &Owned,
    options: &Options,
) -> Result<BTreeMap<PathBuf, Kept>> {
    let mut adopted = BTreeMap::new();
    let mut conflicts = Vec::new();
    for path in goal.files.keys() {
        // A receipt that is there was read when the session began: it is ours.
        if path.starts_with(edge.layout.receipts()) {
            continue;
        }
        if let Some(before) = ours.get(path.as_path()) {
            if let Some(kept) = before {
                adopted.insert(path.clone(), (*kept).clone());
            }
            continue;
        }
        match now.files.get(path).and_then(Option::as_ref) {
            Some(there) if options.adopt => {
                adopted.insert(path.clone(), there.clone());
            }
            Some(_) => conflicts.push(format!("`{}` exists and was not made by daemonctl", path.display())),
            None if service_at(path).is_some() => {}
            None => match system::files::look(&edge.layout.on_disk(path))? {
                Found::Absent | Found::File { .. } | Found::Link { .. } => {}
                Found::Folder | Found::Other => {
                    return Err(Error::failed(format!(
                        "`{}` is in the way: it is neither a file nor a link",
                        path.display()
                    ))
                    .hint("move it away, or give the service another name"));
                }
            },
        }
    }
    let known: BTreeSet<String> =
        owned.all().iter().flat_map(|receipt| receipt.service.units()).map(|unit| unit.id()).collect();
    for (id, unit) in &now.units {
        // An instance may be known by its template, which is ours.
        let by_ours = unit.origin.as_deref().is_some_and(|origin| ours.contains_key(origin));
        if unit.loaded && !by_ours && !known.contains(id) && !options.adopt && conflicts.is_empty() {
            conflicts.push(match &unit.origin {
                Some(origin) => format!("the manager has a unit `{id}` already, from `{}`", origin.display()),
                None => format!("the manager has a unit `{id}` already"),
            });
        }
    }
    if conflicts.is_empty() {
        return Ok(adopted);
    }
    let mut error = Error::failed(conflicts.remove(0));
    for conflict in conflicts {
        error = error.detail(conflict);
    }
    Err(error
        .hint("give the service another name, or take it over with `--adopt`: what is there now is kept in the receipt and comes back at uninstall"))
}
