//! `enable` and `disable`: the same road as install, with the service's start changed and nothing restarted.
//!
//! What the manifest says stays in the receipt beside what was said here, so that `enable` after `disable` of a
//! delayed service makes it delayed again, and the next install of a manifest brings the manifest's word back.

use crate::apply::{self, Intent};
use crate::backend::{BackendKind, Body, Deadline, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::goal::{FileGoal, Goal, RestartIf, Run, UnitGoal};
use crate::install;
use crate::journal::Direction;
use crate::plan::{self, Step};
use crate::receipt::Receipt;
use crate::report::Effect;
use crate::service::{Service, Start};
use crate::session::{Session, backend};

/// Makes the services of these units start at boot or not. Instances of one service share that.
pub fn set(
    session: &mut Session,
    kind: BackendKind,
    units: &[Service],
    on: bool,
    progress: &mut dyn Progress,
) -> Result<Vec<UnitResult>> {
    let target = session.target(kind)?;
    let backend = backend(kind)?;
    let mut goal = Goal::default();
    let mut names: Vec<&str> = units.iter().map(|unit| unit.name.as_str()).collect();
    names.dedup();
    for name in names {
        let Some(receipt) = session.receipts.get(name) else { continue };
        let mut new = receipt.clone();
        new.enabled = Some(on);
        let service = new.effective();
        let rendered = backend.render(&service, receipt.hosting, &target)?;
        for installed in &receipt.artifacts {
            let body = installed.replaced.clone();
            goal.files.insert(
                installed.path.clone(),
                FileGoal { body, unit: installed.unit.clone(), definition: installed.definition },
            );
        }
        for artifact in &rendered {
            if matches!(artifact.body, Body::Secrets { .. }) {
                // Whether it starts at boot changes nothing about them, and their sources may not be here now.
                goal.files.remove(&artifact.path);
            } else {
                goal.files.insert(artifact.path.clone(), install::file_goal(artifact)?);
            }
        }
        new.artifacts = rendered
            .iter()
            .map(|artifact| {
                let old = receipt.artifacts.iter().find(|old| old.path == artifact.path);
                Receipt::installed(artifact, old.and_then(|old| old.replaced.clone()))
            })
            .collect();
        let file = FileGoal { body: Some(install::own(new.to_bytes(), new.mode())), unit: None, definition: false };
        goal.files.insert(session.layout.receipt(name), file);
        for service in service.units() {
            let enabled = (!backend.enables_by_files()).then_some(on);
            goal.units.push(UnitGoal {
                service,
                present: true,
                run: Run::AsIs,
                enabled,
                restart: RestartIf::PidIsNot(None),
            });
        }
    }
    let mut edge = session.edge(kind, Deadline::after(None), progress)?;
    let mut now = apply::look(&mut edge, &goal)?;
    for unit in &mut goal.units {
        unit.restart = RestartIf::PidIsNot(now.units.get(&unit.service.id()).and_then(|unit| unit.pid));
    }
    if session.offline() {
        // No manager to ask: the receipts tell.
        for unit in now.units.values_mut() {
            let name = unit.unit.split('@').next().unwrap_or_default();
            let service = session.receipts.get(name).map(Receipt::effective);
            unit.enabled = service.is_some_and(|service| service.start != Start::Manual);
        }
    }
    let was: Vec<String> = now.units.values().filter(|unit| unit.enabled == on).map(|unit| unit.unit.clone()).collect();
    let before = install::before(&goal, &now, &session_receipts(session));
    let folders = install::missing_folders(&session.layout, &goal, &target)?;
    goal.folders = folders;
    let steps = plan::converge(&now, &goal);
    let intent = Intent {
        command: format!(
            "{} {}",
            if on { "enable" } else { "disable" },
            units.iter().map(Service::id).collect::<Vec<_>>().join(" ")
        ),
        backend: kind,
        goal: &goal,
        before: &before,
        direction: Direction::Back,
    };
    let changes = steps.iter().any(|step| !matches!(step, Step::Folder { .. }));
    let mut edge = session.edge(kind, Deadline::after(None), progress)?;
    if changes {
        apply::apply(&mut edge, &intent, &steps)?;
        now = apply::look(&mut edge, &goal)?;
    }
    let offline = session.offline();
    let result = |unit: &Service| {
        let id = unit.id();
        let state = now.units.get(&id).map(|unit| unit.enabled);
        let effect = if was.contains(&id) {
            Effect::Unchanged
        } else if on {
            Effect::Enabled
        } else {
            Effect::Disabled
        };
        match state {
            Some(enabled) if enabled != on && !offline => Err(Error::failed(format!(
                "the manager says that `{id}` is {} after all",
                if enabled { "enabled" } else { "disabled" }
            ))),
            _ => Ok(effect),
        }
    };
    Ok(units.iter().map(|unit| (unit.id(), result(unit))).collect())
}

fn session_receipts(session: &Session) -> Vec<Receipt> {
    session.receipts.values().cloned().collect()
}

impl Receipt {
    /// The service as it is enabled now: what `enable` and `disable` said wins over the manifest.
    #[must_use]
    pub fn effective(&self) -> Service {
        let mut service = self.service.clone();
        service.start = match (self.enabled, service.start) {
            (Some(false), _) => Start::Manual,
            (Some(true), Start::Manual) => Start::Boot,
            (_, start) => start,
        };
        service
    }
}
