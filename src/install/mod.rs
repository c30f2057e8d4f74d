//! `install`, `plan` and `uninstall`: from a manifest or from receipts to a goal, its plan, and its application.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::{self, Effects, Intent};
use crate::backend::{Artifact, Backend, BackendKind, Deadline, Hosting, Progress, Target};
use crate::error::{Error, Result};
use crate::goal::{FileGoal, Goal, Now};
use crate::journal::Direction;
use crate::layout::Scope;
use crate::plan::{self, Step};
use crate::receipt::{Fingerprint, Kept, Receipt};
use crate::report::{Effect, Outcome, UnitOutcome};
use crate::service::{Kind, Service};
use crate::session::{Session, backend};
use crate::system;
use crate::system::password::PasswordFrom;

mod data;
mod goals;
mod ownership;
mod receipts;
mod removal;
mod strangers;

use goals::{absent, retire, retire_leftovers, unit_goal, wants_linger};
pub(crate) use goals::{before, file_goal, missing_folders, own};
use ownership::{Owned, adopt, check_names};
use receipts::{keep_unchanged_receipts, session_receipt, write_receipt};
pub use removal::{plan_removal, prune_host_binaries, purge, uninstall};

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
    /// Where the password of an account comes from that needs one; None: it is asked for where it must be.
    pub password: Option<PasswordFrom>,
    /// Install though people who are no administrators could change what the services run.
    pub allow_writable: bool,
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
        let old = owned.replaced.iter().find(|receipt| receipt.service.name == service.name);
        let (rendered, host_binary) = render(backend, service, *hosting, prepared, old)?;
        for artifact in &rendered {
            goal.files.insert(artifact.path.clone(), file_goal(artifact)?);
        }
        for unit in service.units() {
            goal.units.push(unit_goal(unit, options, backend.enables_by_files(), session.offline()));
        }
        artifacts.push((service, *hosting, rendered, host_binary));
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
    for (service, ..) in &artifacts {
        let place = FileGoal { body: Some(own(Vec::new(), 0o644)), unit: None, definition: false };
        goal.files.insert(session_receipt(&prepared.target, &service.name), place);
    }
    let folders = missing_folders(edge.layout, &goal, &prepared.target)?;
    let linger_ours = goal.linger == Some(true) && now.linger == Some(false);
    for (service, hosting, rendered, host_binary) in &artifacts {
        let old = owned.replaced.iter().find(|receipt| receipt.service.name == service.name);
        let receipt = write_receipt(
            prepared,
            service,
            *hosting,
            (rendered, host_binary.clone()),
            old,
            &adopted,
            &folders,
            linger_ours,
        );
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
    if prepared.target.scope == Scope::System && prepared.target.local && !system::machine::is_root() {
        goals::as_root(&mut goal);
    }
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
        artifacts: artifacts.into_iter().flat_map(|(_, _, rendered, _)| rendered).collect(),
        notes,
    })
}

/// The artifacts of a service, and the host's binary that its units name. A service that nothing else has changed in
/// keeps the binary that it was installed with: an upgrade of daemonctl is no reason to restart it.
fn render(
    backend: &dyn Backend,
    service: &Service,
    hosting: Hosting,
    prepared: &Prepared,
    old: Option<&Receipt>,
) -> Result<(Vec<Artifact>, Option<PathBuf>)> {
    let rendered = backend.render(service, hosting, &prepared.target)?;
    if hosting != Hosting::Hosted || backend.kind() == BackendKind::Embedded {
        return Ok((rendered, None));
    }
    let earlier = old.and_then(|old| Some((old, old.host_binary.clone()?)));
    if let Some((old, binary)) = earlier.filter(|(_, binary)| *binary != prepared.target.host_binary)
        && system::exists(&prepared.target.layout.on_disk(&binary))
    {
        let target = Target { host_binary: binary.clone(), ..prepared.target.clone() };
        let again = backend.render(service, hosting, &target)?;
        let same = again.len() == old.artifacts.len()
            && again.iter().all(|artifact| {
                let what = Fingerprint::of(&artifact.body);
                old.artifacts.iter().any(|installed| installed.path == artifact.path && installed.what == what)
            });
        if same {
            return Ok((again, Some(binary)));
        }
    }
    Ok((rendered, Some(prepared.target.host_binary.clone())))
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
        let copy = system::host_binary::ensure(&session.layout)?;
        if prepared.target.backend == BackendKind::Embedded && !session.offline() {
            crate::host::renew(&session.layout, &session.layout.on_disk(&copy))?;
        }
    }
    let mut planned = plan(session, prepared, options, progress)?;
    if !session.offline() {
        guard(session, prepared, options, &mut planned)?;
        passwords(session, options, &mut planned)?;
    }
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
    let made = data::make(prepared)?;
    let mut edge = session.edge(planned.backend, Deadline::after(options.wait), progress)?;
    let effects = apply::apply(&mut edge, &intent, &planned.steps).inspect_err(|_| {
        for folder in made.iter().rev() {
            // The failure that is told is the first; what the service has written there stays.
            let _ = system::files::remove_folder_if_empty(&prepared.target.layout.on_disk(folder));
        }
    })?;
    let notes = std::mem::take(&mut edge.notes);
    planned.notes.extend(notes);
    if effects.is_empty() {
        return Ok((planned, effects));
    }
    session.receipts = crate::receipt::all(&session.layout)?;
    removal::prune_host_binaries(session)?;
    Ok((planned, effects))
}

/// Who can change what a service runs becomes its account.
fn guard(session: &mut Session, prepared: &Prepared, options: &Options, planned: &mut Planned) -> Result<()> {
    if planned.steps.is_empty() {
        return Ok(());
    }
    let services: Vec<Service> = prepared.services.iter().flat_map(|(service, _)| service.units()).collect();
    let mut weak = session.manager(planned.backend)?.guard(&prepared.manifest, &services)?;
    let found = strangers::look(prepared);
    planned.notes.extend(found.told);
    weak.extend(found.refused);
    if weak.is_empty() {
        return Ok(());
    }
    if options.allow_writable {
        planned.notes.extend(weak.into_iter().map(|weak| format!("writable by strangers: {weak}")));
        return Ok(());
    }
    let error = Error::not_permitted("people who are no administrators could change what the services run");
    let error = weak.into_iter().fold(error, Error::detail);
    let remedy = if cfg!(windows) {
        "move it to a folder that only administrators may change (below `%ProgramFiles%`), or set its access list"
    } else {
        "give the folder to root (`chown root`, `chmod go-w`), or let daemonctl's host write there (`host = \"always\"`)"
    };
    Err(error.hint(remedy).hint("`--allow-writable` installs it all the same"))
}

/// Hands the manager the passwords of accounts that it can't take without; one that was given is set whatever else
/// changes.
fn passwords(session: &mut Session, options: &Options, planned: &mut Planned) -> Result<()> {
    let mut read: Vec<String> = Vec::new();
    for (path, file) in &planned.goal.files {
        let Some(Kept::Scm(config)) = &file.body else { continue };
        let manager = session.manager(planned.backend)?;
        if manager.has_password(config) && (options.password.is_some() || manager.wants_password(config)?) {
            // Services may share an account, which has one password.
            if !read.contains(&config.account) {
                let from = options.password.clone().unwrap_or_default();
                manager.take_password(&config.account, from.read(&config.account)?);
                read.push(config.account.clone());
            }
            let written =
                planned.steps.iter().any(|step| matches!(step, Step::Write { path: other, .. } if other == path));
            if !written {
                planned.steps.insert(0, Step::Write { path: path.clone(), replaces: true });
            }
        }
    }
    Ok(())
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
            stop: Vec::new(),
        })
        .collect();
    Outcome { verb: verb.to_owned(), backend: target.0.name().to_owned(), scope: target.1, units, notes }
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
