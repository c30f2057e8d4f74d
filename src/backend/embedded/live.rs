//! The supervisor of this machine, as a manager.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{logs, render, verbs};
use crate::backend::{Artifact, Deadline, Detail, Manager, Progress, Target, UnitResult, UnitState};
use crate::error::{Error, Result};
use crate::host::control::Ask;
use crate::host::intent;
use crate::host::state::{self, Record, StateFile};
use crate::host::sys;
use crate::host::{client, glance};
use crate::layout::Layout;
use crate::layout::Scope;
use crate::logs::{LogQuery, Sink};
use crate::report::{Sent, State, Status, Wanted};
use crate::service::Service;
use crate::system;

pub(super) struct Embedded {
    pub(super) target: Target,
    /// What the operator should know of what was done.
    pub(super) notes: Vec<String>,
}

/// What is known of the units without talking to anybody.
struct Known {
    file: Option<StateFile>,
    /// The supervisor that wrote it lives.
    supervised: bool,
}

impl Embedded {
    pub(super) const fn new(target: Target) -> Self {
        Self { target, notes: Vec::new() }
    }

    /// The state file of this boot, with services that have died since shown as what they are.
    fn known(&self) -> Result<Known> {
        let file = state::read(&state::path(&self.target.layout))?.filter(|file| file.boot == sys::boot_id());
        let supervised = file.as_ref().is_some_and(|file| sys::lives(file.supervisor));
        Ok(Known { file, supervised })
    }

    /// A supervisor that listens: started if there is none.
    pub(super) fn ensure(&self) -> Result<()> {
        let layout = &self.target.layout;
        if client::is_running(layout) {
            return Ok(());
        }
        let copy = layout.on_disk(&self.target.host_binary);
        let binary = if copy.exists() {
            copy
        } else {
            std::env::current_exe().map_err(|error| Error::io("tell which program this is", &error))?
        };
        client::ensure(layout, &binary)
    }

    pub(super) fn is_installed(&self, unit: &str) -> bool {
        self.spec(unit).exists()
    }

    fn spec(&self, unit: &str) -> PathBuf {
        self.target.layout.on_disk(&self.target.layout.spec(unit))
    }

    fn is_enabled(&self, unit: &str) -> bool {
        self.target.layout.on_disk(&render::marker(&self.target, unit)).exists()
    }

    /// Whether a process of one of the units lives though no supervisor does.
    pub(super) fn living_alone(&self, units: &[Service]) -> Result<bool> {
        let known = self.known()?;
        let lives = |unit: &Service| known.record(&unit.id()).is_some_and(|record| record.main.is_some_and(sys::lives));
        Ok(!known.supervised && units.iter().any(lives))
    }

    /// Keeps that it is wanted down; where that can't be written, it is down all the same.
    pub(super) fn keep_down(&mut self, units: &[String]) {
        let down = |unit: &String| (unit.clone(), crate::host::machine::Wanted::Down);
        let kept = intent::keep_alone(&self.target.layout, |intents| intents.extend(units.iter().map(down)));
        if let Err(error) = kept {
            let say = |unit| format!("that `{unit}` is wanted down could not be kept for the next supervisor: {error}");
            self.notes.extend(units.iter().map(say));
        }
    }
}

/// All units of a scope as a table shows them, where the supervisor has seen that they are all that is installed; None:
/// the receipts tell.
pub(super) fn table(layout: &Layout) -> Result<Option<Vec<Status>>> {
    let text = glance::text(&state::path(layout)).unwrap_or_default();
    let Some(glance) = whole(layout, &text) else { return Ok(None) };
    let markers = layout.on_disk(&layout.enabled());
    let told = glance.enabled.is_some() && glance.enabled == system::files::changed(&markers);
    let enabled = if told { Vec::new() } else { system::files::list(&markers)? };
    let (now, wall_now) = (sys::monotonic(), system::now());
    let status = |(name, row): &(std::borrow::Cow<'_, str>, glance::Row<'_>)| {
        let mut status = row.describe(name, layout.scope, now, wall_now);
        let marked = || enabled.binary_search_by(|marker| marker.as_os_str().cmp(name.as_ref().as_ref())).is_ok();
        status.enabled = Some(if told { row.enabled } else { marked() });
        status
    };
    let table = glance.units.0.iter().map(status).collect();
    // Not taken apart: it is much, and the process is about to end.
    std::mem::forget(glance);
    Ok(Some(table))
}

/// The state file, where a supervisor lives that has seen that its units are all that is installed.
fn whole<'a>(layout: &Layout, text: &'a [u8]) -> Option<glance::Glance<'a>> {
    let glance = glance::parse(text).filter(|glance| glance.boot == sys::boot_id())?;
    let installed = || system::files::changed(&layout.on_disk(&layout.receipts()));
    (sys::lives(glance.supervisor) && glance.installed.is_some() && glance.installed == installed()).then_some(glance)
}

/// The names of all units of a scope, where they are told by [`whole`]: plain services, in their order.
pub(super) fn names(layout: &Layout) -> Option<Vec<String>> {
    let text = glance::text(&state::path(layout))?;
    Some(whole(layout, &text)?.units.0.into_iter().map(|(name, _)| name.into_owned()).collect())
}

/// Starts or stops units of which the names are enough.
pub(super) fn act_on(
    target: &Target,
    names: Vec<String>,
    up: bool,
    deadline: Deadline,
    progress: &mut dyn Progress,
) -> super::Acted {
    let mut manager = Embedded::new(target.clone());
    let spec = |manager: &Embedded, name: &str| {
        let text = system::files::read(&manager.spec(name)).ok()??;
        serde_json::from_slice(&text).ok()
    };
    let ask = if up { Ask::Start } else { Ask::Stop };
    let results = verbs::act_on(&mut manager, names, &spec, ask, deadline, progress);
    let stops = if up { BTreeMap::new() } else { state::stops(&state::path(&target.layout)) };
    super::Acted { results, stops, notes: manager.notes }
}

/// The state of a unit; of one whose supervisor is gone, by whether its process lives.
fn state_of(record: &Record, supervised: bool) -> State {
    let word = match record.machine.word() {
        // A task that runs is up, as one that waits for its next run.
        State::Starting if record.runs.is_some() && record.machine.current.has_main() => State::Running,
        word => word,
    };
    let alone = !supervised && !record.machine.current.at_rest();
    if alone && !record.main.is_some_and(sys::lives) { State::Failed } else { word }
}

impl Known {
    fn record(&self, unit: &str) -> Option<&Record> {
        self.file.as_ref()?.units.get(unit)
    }

    fn state(&self, unit: &str) -> State {
        self.record(unit).map_or(State::Stopped, |record| state_of(record, self.supervised))
    }
}

impl Manager for Embedded {
    fn verify(&mut self, files: &[Artifact]) -> Result<()> {
        // Specs are read by the same type that wrote them; what they name is looked at where install looks.
        for artifact in files {
            if let crate::backend::Body::File { content, definition: true, .. } = &artifact.body {
                let service = serde_json::from_slice::<Service>(content).map_err(|error| {
                    Error::failed(format!("`{}` would not be understood: {error}", artifact.path.display()))
                })?;
                // Only the machine can tell whether a supervisor may limit anything on it.
                sys::limits_possible(&service.limits)
                    .and_then(|()| sys::sandbox_possible(&service, self.target.scope == Scope::System))
                    .map_err(|error| error.context(format_args!("`{}`", service.id())))?;
            }
        }
        Ok(())
    }

    fn observe(&mut self, units: &[Service]) -> Result<Vec<UnitState>> {
        let known = self.known()?;
        let observe = |unit: &Service| {
            let id = unit.id();
            let loaded = self.is_installed(&id);
            let record = known.record(&id);
            let pid = record
                .filter(|record| record.machine.current.has_main())
                .and_then(|record| record.main.filter(|main| sys::lives(*main)))
                .and_then(|main| u32::try_from(main.pid).ok());
            UnitState {
                loaded,
                state: if loaded || record.is_some() { known.state(&id) } else { State::NotInstalled },
                wanted: record.map(|record| match record.machine.wanted {
                    crate::host::machine::Wanted::Up => Wanted::Up,
                    crate::host::machine::Wanted::Down => Wanted::Down,
                }),
                enabled: self.is_enabled(&id),
                pid,
                origin: loaded.then(|| self.spec(&id)),
                unit: id,
            }
        };
        Ok(units.iter().map(observe).collect())
    }

    fn status(&mut self, units: &[Service], _: Detail) -> Result<Vec<Status>> {
        let known = self.known()?;
        let (now, wall_now) = (sys::monotonic(), system::now());
        let status = |unit: &Service| {
            let id = unit.id();
            let mut status = Status::not_installed(&id, "embedded", self.target.scope);
            if !self.is_installed(&id) {
                return status;
            }
            status.state = State::Stopped;
            status.wanted = Some(Wanted::Down);
            status.hosted = true;
            status.enabled = Some(self.is_enabled(&id));
            let current = self.target.layout.logs_of(&id).join("current.log");
            if let Some(record) = known.record(&id) {
                record.describe(&mut status, now, wall_now, !known.supervised);
                status.state = known.state(&id);
                if status.state == State::Failed && status.pid.is_some() {
                    (status.pid, status.uptime) = (None, None);
                }
                if unit.ready.is_some() {
                    status.ready = Some(status.state == State::Running);
                }
            } else if !known.supervised {
                status.notes.push("no supervisor runs; `daemonctl start` starts one".to_owned());
            }
            status.logs = status.logs.or_else(|| Some(current.display().to_string()));
            status
        };
        Ok(units.iter().map(status).collect())
    }

    fn reload(&mut self, _: &[String]) -> Result<()> {
        verbs::ask_if_running(&self.target.layout, &Ask::Load).map(drop)
    }

    fn enable(&mut self, units: &[Service]) -> Result<()> {
        for unit in units {
            let path = self.target.layout.on_disk(&render::marker(&self.target, &unit.id()));
            if let Some(folder) = path.parent() {
                system::files::make_folders(folder, 0o755)?;
            }
            system::files::replace(&path, b"boot\n", 0o644, None)?;
        }
        Ok(())
    }

    fn disable(&mut self, units: &[Service]) -> Result<()> {
        for unit in units {
            system::files::remove(&self.target.layout.on_disk(&render::marker(&self.target, &unit.id())))?;
        }
        Ok(())
    }

    fn start(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::act(self, units, Ask::Start, deadline, progress)
    }

    fn stop(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::stop(self, units, deadline, progress)
    }

    fn restart(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::act(self, units, Ask::Restart, deadline, progress)
    }

    fn stops(&mut self, units: &[Service], _: jiff::Timestamp) -> BTreeMap<String, Vec<Sent>> {
        let mut known = state::stops(&state::path(&self.target.layout));
        units.iter().filter_map(|unit| known.remove_entry(&unit.id())).collect()
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn reload_units(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::act(self, units, Ask::Reload, deadline, progress)
    }

    fn forget(&mut self, units: &[Service]) -> Result<()> {
        if verbs::ask_if_running(&self.target.layout, &Ask::Load)? {
            return Ok(());
        }
        intent::keep_alone(&self.target.layout, |intents| {
            for unit in units {
                intents.remove(&unit.id());
            }
        })
    }

    #[cfg(windows)]
    fn lingers(&mut self) -> Result<Option<bool>> {
        Ok(super::logon::starts(&self.target))
    }

    #[cfg(windows)]
    fn set_linger(&mut self, on: bool) -> Result<()> {
        super::logon::set(&self.target, on)
    }

    #[cfg(windows)]
    fn linger_note(&self, on: bool) -> String {
        let does = if on {
            "starts when you log on (and ends when you log off)"
        } else {
            "does not start any more when you log on"
        };
        format!("the supervisor of your services {does}")
    }

    #[cfg(not(windows))]
    fn lingers(&mut self) -> Result<Option<bool>> {
        Ok(None)
    }

    #[cfg(not(windows))]
    fn set_linger(&mut self, _: bool) -> Result<()> {
        Err(Error::new(
            crate::exit::Exit::Usage,
            "daemonctl's own supervisor has no lingering: it outlives the login anyway",
        ))
    }

    fn logs(&mut self, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
        logs::logs(&self.target.layout, units, query, sink)
    }
}
