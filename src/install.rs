//! `install`, `plan` and `uninstall`: from a manifest or from receipts to a goal, its plan, and its application.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::{self, Edge, Effects, Intent};
use crate::backend::{Artifact, Backend, BackendKind, Body, Deadline, Hosting, Progress, Target, UnitState};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::goal::{FileGoal, Goal, Now, RestartIf, Run, UnitGoal};
use crate::journal::Direction;
use crate::layout::{Layout, Scope};
use crate::plan::{self, Step};
use crate::receipt::{Kept, Receipt};
use crate::report::{Effect, Outcome, UnitOutcome};
use crate::secrets;
use crate::service::{Kind, Service, Start};
use crate::session::{Session, backend};
use crate::system::{self, files::Found};

/// A manifest, ready to be rendered or installed on a target.
pub struct Prepared {
    /// The manifest's absolute path.
    pub manifest: PathBuf,
    /// SHA-256 of its bytes.
    pub manifest_sha256: String,
    /// For what it was resolved.
    pub target: Target,
    /// In dependency order.
    pub services: Vec<(Service, Hosting)>,
}

/// How `install` is to go about it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Leave what is down down.
    pub no_start: bool,
    /// Take over units and files that somebody else made, and services of another manifest.
    pub adopt: bool,
    /// Remove services that left the manifest.
    pub prune: bool,
    /// By when all must be up; None: the services' own timeouts.
    pub wait: Option<Duration>,
}

/// A plan with all that it takes to show or to apply it.
pub struct Planned {
    /// The backend.
    pub backend: BackendKind,
    /// What is wanted.
    pub goal: Goal,
    /// The machine as it is, as a goal to come back to.
    pub before: Goal,
    /// What is there.
    pub now: Now,
    /// The way.
    pub steps: Vec<Step>,
    /// The units, with what becomes of each.
    pub units: Vec<(String, Effect)>,
    /// The artifacts of all services, for the manager's parser.
    pub artifacts: Vec<Artifact>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// Plans an install: looks once, changes nothing.
pub fn plan(
    session: &mut Session,
    prepared: &Prepared,
    options: &Options,
    progress: &mut dyn Progress,
) -> Result<Planned> {
    let kind = prepared.target.backend;
    let backend = backend(kind)?;
    let mut notes = Vec::new();
    let owned = Owned::of(session, prepared, options, &mut notes)?;
    check_names(session, backend, prepared, options)?;

    let mut goal = Goal { linger: wants_linger(session, prepared), ..Goal::default() };
    let mut artifacts = Vec::new();
    for (service, hosting) in &prepared.services {
        let rendered = backend.render(service, *hosting, &prepared.target)?;
        for artifact in &rendered {
            goal.files.insert(artifact.path.clone(), file_goal(artifact)?);
        }
        for unit in service.units() {
            goal.units.push(unit_goal(unit, options, backend.enables_by_files(), session.offline()));
        }
        artifacts.push((service, *hosting, rendered));
    }
    for receipt in &owned.replaced {
        retire_leftovers(receipt, &mut goal);
    }
    for receipt in &owned.pruned {
        retire(receipt, &mut goal);
        goal.files.insert(session.layout.receipt(&receipt.service.name), absent());
    }

    let mut edge = session.edge(kind, Deadline::after(options.wait), progress)?;
    let mut now = apply::look(&mut edge, &goal)?;
    let ours: BTreeMap<&Path, Option<&Kept>> = owned
        .replaced
        .iter()
        .chain(&owned.pruned)
        .flat_map(|receipt| &receipt.artifacts)
        .map(|installed| (installed.path.as_path(), installed.replaced.as_ref()))
        .collect();
    let adopted = adopt(&edge, &goal, &now, &ours, &owned, options)?;

    // The receipts come last: they are files of the goal like any other, so a rollback restores them too.
    // Their places are named first, so that their folder is among those to be made.
    for (service, _, _) in &artifacts {
        let place = FileGoal { body: Some(own(Vec::new(), 0o644)), unit: None, definition: false };
        goal.files.insert(session_receipt(&prepared.target, &service.name), place);
    }
    let folders = missing_folders(edge.layout, &goal, &prepared.target)?;
    let linger_ours = goal.linger == Some(true) && now.linger == Some(false);
    for (service, hosting, rendered) in &artifacts {
        let old = owned.replaced.iter().find(|receipt| receipt.service.name == service.name);
        let receipt = write_receipt(prepared, service, *hosting, rendered, old, &adopted, &folders, linger_ours);
        let path = session_receipt(&prepared.target, &service.name);
        let mode = receipt.mode();
        goal.files.insert(
            path.clone(),
            FileGoal { body: Some(own(receipt.to_bytes(), mode)), unit: None, definition: false },
        );
        now.files.insert(path.clone(), Kept::of(&system::files::look(&prepared.target.layout.on_disk(&path))?));
    }
    for receipt in &owned.pruned {
        let path = session_receipt(&prepared.target, &receipt.service.name);
        now.files.insert(path.clone(), Kept::of(&system::files::look(&prepared.target.layout.on_disk(&path))?));
    }
    goal.folders = folders;
    keep_unchanged_receipts(&mut goal, &now, &owned.replaced, &prepared.target);

    let steps = plan::converge(&now, &goal);
    let before = before(&goal, &now, &owned.all());
    let units = effects(&goal, &owned, &steps);
    Ok(Planned {
        backend: kind,
        goal,
        before,
        now,
        steps,
        units,
        artifacts: artifacts.into_iter().flat_map(|(_, _, rendered)| rendered).collect(),
        notes,
    })
}

/// Applies a plan of an install, under the scope's lock, which the caller holds.
pub fn install(
    session: &mut Session,
    prepared: &Prepared,
    options: &Options,
    progress: &mut dyn Progress,
) -> Result<(Planned, Effects)> {
    if prepared.services.iter().any(|(_, hosting)| *hosting == Hosting::Hosted)
        || prepared.target.backend == BackendKind::Embedded
    {
        system::host_binary::ensure(&session.layout)?;
    }
    let planned = plan(session, prepared, options, progress)?;
    if planned.steps.iter().any(|step| matches!(step, Step::Write { .. })) && !session.offline() {
        session.manager(planned.backend)?.verify(&planned.artifacts)?;
    }
    let intent = Intent {
        command: format!("install {}", prepared.manifest.display()),
        backend: planned.backend,
        goal: &planned.goal,
        before: &planned.before,
        direction: Direction::Back,
    };
    let mut edge = session.edge(planned.backend, Deadline::after(options.wait), progress)?;
    let effects = apply::apply(&mut edge, &intent, &planned.steps)?;
    Ok((planned, effects))
}

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
            let found = system::files::look(&edge.layout.on_disk(&installed.path))?;
            if !matches!(found, Found::Absent) && !installed.what.matches(&found) {
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

/// Applies the plan of a removal, under the scope's lock, which the caller holds. A removal that is killed is
/// finished by the next command; one that fails (a service that cannot be stopped) is taken back.
pub fn uninstall(
    session: &mut Session,
    planned: &Planned,
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
    apply::apply(&mut edge, &intent, &planned.steps)
}

/// The report of a plan that was applied.
#[must_use]
pub fn outcome(
    verb: &str,
    target: (BackendKind, Scope),
    planned: &Planned,
    effects: &Effects,
    mut notes: Vec<String>,
) -> Outcome {
    notes.extend(planned.notes.iter().cloned());
    let units = planned
        .units
        .iter()
        .map(|(name, effect)| UnitOutcome {
            name: name.clone(),
            effect: match (effect, effects.get(name)) {
                (Effect::Unchanged, Some(did)) => *did,
                _ => *effect,
            },
            message: match (effect, effects.get(name)) {
                (Effect::Updated, Some(Effect::Restarted)) => Some("restarted".to_owned()),
                (
                    Effect::Installed | Effect::Updated,
                    Some(Effect::Started | Effect::Unchanged | Effect::Restarted),
                ) => {
                    let kind =
                        planned.goal.units.iter().find(|unit| unit.service.id() == *name).map(|unit| unit.service.kind);
                    Some(
                        match kind {
                            Some(Kind::Oneshot) => "completed",
                            Some(Kind::Task) => "scheduled",
                            Some(Kind::Service) | None => "running",
                        }
                        .to_owned(),
                    )
                }
                _ => None,
            },
            state: None,
            pid: None,
        })
        .collect();
    Outcome { verb: verb.to_owned(), backend: target.0.name().to_owned(), scope: target.1, units, notes }
}

/// The receipts that an install deals with.
struct Owned {
    /// Of services that the manifest has.
    replaced: Vec<Receipt>,
    /// Of services that left it and are to be removed.
    pruned: Vec<Receipt>,
}

impl Owned {
    fn of(session: &Session, prepared: &Prepared, options: &Options, notes: &mut Vec<String>) -> Result<Self> {
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

    fn all(&self) -> Vec<Receipt> {
        self.replaced.iter().chain(&self.pruned).cloned().collect()
    }
}

/// Two services must not want the same native name, whichever manifests they come from.
fn check_names(session: &Session, backend: &dyn Backend, prepared: &Prepared, options: &Options) -> Result<()> {
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

pub(crate) fn file_goal(artifact: &Artifact) -> Result<FileGoal> {
    let body = match &artifact.body {
        Body::File { content, mode, .. } => own(content.clone(), *mode),
        Body::Secrets { entries, format } => own(format.content(&secrets::values(entries)?)?, 0o600),
        Body::Link { target } => Kept::Link { target: target.clone() },
    };
    let definition = matches!(artifact.body, Body::File { definition: true, .. });
    Ok(FileGoal { body: Some(body), unit: artifact.unit.clone(), definition })
}

/// A file of our own: owned by who runs the command.
pub(crate) fn own(content: Vec<u8>, mode: u32) -> Kept {
    let (uid, gid) = system::machine::ids();
    Kept::File { content, mode, uid, gid }
}

const fn absent() -> FileGoal {
    FileGoal { body: None, unit: None, definition: false }
}

fn unit_goal(service: Service, options: &Options, by_files: bool, offline: bool) -> UnitGoal {
    let enabled = (!by_files && !offline).then_some(service.start != Start::Manual);
    let run = if options.no_start || offline || service.start == Start::Manual { Run::AsIs } else { Run::Up };
    UnitGoal { enabled, service, present: true, run, restart: RestartIf::FilesChange }
}

/// Everything of a receipt goes; adopted files come back.
fn retire(receipt: &Receipt, goal: &mut Goal) {
    for installed in &receipt.artifacts {
        let file = FileGoal {
            body: installed.replaced.clone(),
            unit: installed.unit.clone(),
            definition: installed.definition,
        };
        goal.files.insert(installed.path.clone(), file);
    }
    for service in receipt.service.units() {
        goal.units.push(UnitGoal {
            service,
            present: false,
            run: Run::Down,
            enabled: Some(false),
            restart: RestartIf::FilesChange,
        });
    }
}

/// What an earlier version of the service had and this one has not.
fn retire_leftovers(receipt: &Receipt, goal: &mut Goal) {
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
                enabled: Some(false),
                restart: RestartIf::FilesChange,
            });
        }
    }
}

/// What is there and is not ours: kept for the receipt with `--adopt`, else a conflict.
fn adopt(
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

/// The folders that must be made, outermost first.
pub(crate) fn missing_folders(layout: &Layout, goal: &Goal, target: &Target) -> Result<Vec<(PathBuf, u32)>> {
    let mut missing: BTreeMap<PathBuf, u32> = BTreeMap::new();
    for (path, file) in &goal.files {
        if file.body.is_none() {
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

#[expect(clippy::too_many_arguments, reason = "a receipt is the sum of an install")]
fn write_receipt(
    prepared: &Prepared,
    service: &Service,
    hosting: Hosting,
    rendered: &[Artifact],
    old: Option<&Receipt>,
    adopted: &BTreeMap<PathBuf, Kept>,
    folders: &[(PathBuf, u32)],
    linger: bool,
) -> Receipt {
    let made = folders
        .iter()
        .map(|(path, _)| path)
        .filter(|folder| rendered.iter().any(|artifact| artifact.path.starts_with(folder)));
    let mut kept: Vec<PathBuf> = old.map(|old| old.folders.clone()).unwrap_or_default();
    for folder in made {
        if !kept.contains(folder) {
            kept.push(folder.clone());
        }
    }
    Receipt {
        format: crate::receipt::FORMAT,
        service: service.clone(),
        manifest: prepared.manifest.clone(),
        manifest_sha256: prepared.manifest_sha256.clone(),
        backend: prepared.target.backend,
        scope: prepared.target.scope,
        hosting,
        artifacts: rendered
            .iter()
            .map(|artifact| Receipt::installed(artifact, adopted.get(&artifact.path).cloned()))
            .collect(),
        folders: kept,
        linger: linger || old.is_some_and(|old| old.linger),
        enabled: None,
        installed_at: system::now().to_string(),
        daemonctl: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn session_receipt(target: &Target, name: &str) -> PathBuf {
    target.layout.receipt(name)
}

/// A receipt whose only news is the time or the version of daemonctl stays as it is, so that a second install
/// changes nothing.
fn keep_unchanged_receipts(goal: &mut Goal, now: &Now, replaced: &[Receipt], target: &Target) {
    for old in replaced {
        let path = session_receipt(target, &old.service.name);
        let (Some(file), Some(there)) = (goal.files.get_mut(&path), now.files.get(&path)) else { continue };
        let Some(Kept::File { content, .. }) = &file.body else { continue };
        let Ok(mut new) = serde_json::from_slice::<Receipt>(content) else { continue };
        new.installed_at.clone_from(&old.installed_at);
        new.daemonctl.clone_from(&old.daemonctl);
        if new == *old {
            file.body.clone_from(there);
        }
    }
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
                UnitGoal {
                    // The old definition's timeouts and readiness are those that the way back has to wait for.
                    service: old_units.get(&id).unwrap_or(&unit.service).clone(),
                    present: state.is_some_and(|state| state.loaded),
                    run: if state.is_some_and(UnitState::is_up) { Run::Up } else { Run::Down },
                    enabled: unit.enabled.map(|_| state.is_some_and(|state| state.enabled)),
                    restart: RestartIf::PidIsNot(state.and_then(|state| state.pid)),
                }
            })
            .collect(),
        folders: goal.emptied.iter().rev().map(|folder| (folder.clone(), 0o755)).collect(),
        emptied: goal.folders.iter().rev().map(|(folder, _)| folder.clone()).collect(),
        linger: goal.linger.and(now.linger),
    }
}

/// What becomes of each unit.
fn effects(goal: &Goal, owned: &Owned, steps: &[Step]) -> Vec<(String, Effect)> {
    let written: BTreeSet<&Path> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Write { path, .. } | Step::Remove { path } => Some(path.as_path()),
            _ => None,
        })
        .collect();
    let known: BTreeSet<String> =
        owned.all().iter().flat_map(|receipt| receipt.service.units()).map(|unit| unit.id()).collect();
    goal.units
        .iter()
        .map(|unit| {
            let id = unit.service.id();
            let changed = goal.files.iter().any(|(path, file)| {
                written.contains(path.as_path())
                    && file.unit.as_ref().is_some_and(|owner| *owner == id || *owner == unit.service.name)
            });
            let effect = match (unit.present, known.contains(&id), changed) {
                (false, true, _) => Effect::Removed,
                (false, false, _) => Effect::Absent,
                (true, false, _) => Effect::Installed,
                (true, true, true) => Effect::Updated,
                (true, true, false) => Effect::Unchanged,
            };
            (id, effect)
        })
        .collect()
}

fn wants_linger(session: &Session, prepared: &Prepared) -> Option<bool> {
    let boots = prepared.services.iter().any(|(service, _)| service.start != Start::Manual);
    (session.layout.scope == Scope::User && boots && !session.offline()).then_some(true)
}

/// Removes what the host captured of the services, which no rollback could bring back: it is done after the removal.
pub fn purge(session: &Session, receipts: &[Receipt]) -> Result<Vec<PathBuf>> {
    let mut purged = Vec::new();
    for unit in receipts.iter().flat_map(|receipt| receipt.service.units()) {
        let folder = session.layout.logs_of(&unit.id());
        if system::files::remove_tree(&session.layout.on_disk(&folder))? {
            purged.push(folder);
        }
    }
    Ok(purged)
}
