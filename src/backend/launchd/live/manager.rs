//! The contract of [`Manager`], kept with the acts that launchd has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::ctl::Ctl;
use super::domain::{Domain, Domains};
use super::job::Uptimes;
use super::{logs, order, status, stop, verbs, verify};
use crate::backend::launchd::places::{Fact, Kind as What, Places};
use crate::backend::launchd::{names, state};
use crate::backend::{Artifact, Deadline, Detail, Manager, Progress, Target, UnitResult, UnitState};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::logs::{LogQuery, Sink};
use crate::report::{Sent, State, Status};
use crate::service::{Kind, Service};
use crate::system::{machine, processes};

/// See the module.
pub(super) struct Launchd {
    pub(super) ctl: Box<dyn Ctl>,
    pub(super) target: Target,
    pub(super) facts: Disk,
    pub(super) notes: Vec<String>,
    /// [`crate::system::processes::uptimes`], or what a test has for it.
    pub(super) uptimes: fn(&[u32]) -> Uptimes,
    domains: OnceLock<Domains>,
}

impl Launchd {
    pub(super) fn new(ctl: Box<dyn Ctl>, target: Target) -> Self {
        Self { ctl, target, facts: Disk, notes: Vec::new(), uptimes: processes::uptimes, domains: OnceLock::new() }
    }

    /// The domains that are there; asked once a command.
    pub(super) fn domains(&self) -> Result<&Domains> {
        if let Some(domains) = self.domains.get() {
            return Ok(domains);
        }
        let domains = Domains::probe(self.ctl.as_ref(), self.target.scope, machine::euid())?;
        Ok(self.domains.get_or_init(|| domains))
    }

    /// Where a unit is to be loaded, as its property list on the disk says.
    pub(super) fn domain_of(&self, unit: &Service) -> Result<Domain> {
        let path = names::file(unit, &self.target.layout);
        let content = std::fs::read(self.on_disk(&path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::new(
                Exit::NotInstalled,
                format!("`{}` is not installed: there is no `{}`", unit.id(), path.display()),
            )
            .hint("install its manifest again: `daemonctl install MANIFEST`"),
            _ => Error::io(format_args!("read `{}`", path.display()), &error),
        })?;
        self.domains()?.of(&sessions(&content))
    }
}

/// The sessions that a property list is for; empty: it does not say.
fn sessions(content: &[u8]) -> Vec<String> {
    let Ok(plist::Value::Dictionary(list)) = plist::Value::from_reader_xml(content) else { return Vec::new() };
    match list.get("LimitLoadToSessionType") {
        Some(plist::Value::String(one)) => vec![one.clone()],
        Some(plist::Value::Array(several)) => {
            several.iter().filter_map(|one| one.as_string().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

/// The real file system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Disk;

impl Places for Disk {
    fn look(&self, path: &Path) -> Option<Fact> {
        use std::os::unix::fs::MetadataExt;
        let seen = std::fs::symlink_metadata(path).ok()?;
        let kind = if seen.is_file() {
            What::File
        } else if seen.is_dir() {
            What::Folder
        } else if seen.is_symlink() {
            What::Link
        } else {
            What::Other
        };
        let quarantined = kind == What::File && crate::system::places::is_quarantined(path);
        Some(Fact { kind, uid: seen.uid(), gid: seen.gid(), mode: seen.mode() & 0o7777, quarantined })
    }

    fn resolved(&self, path: &Path) -> Option<PathBuf> {
        std::fs::canonicalize(path).ok()
    }

    fn uid(&self) -> u32 {
        machine::euid()
    }
}

impl Manager for Launchd {
    fn verify(&mut self, files: &[Artifact]) -> Result<()> {
        let remarks = verify::verify(files, &self.target, &self.facts)?;
        self.notes.extend(remarks);
        Ok(())
    }

    fn observe(&mut self, units: &[Service]) -> Result<Vec<UnitState>> {
        let disabled = self.disabled()?;
        let known = self.know_all(units)?;
        let observe = |(unit, known): (&Service, super::job::Known)| {
            let file = names::file(unit, &self.target.layout);
            let origin = match &known.job {
                Some(job) => Some(job.printed.path.clone().map_or_else(|| file.clone(), PathBuf::from)),
                None => known.installed.then_some(file),
            };
            let state = match known.state {
                // However its last run went, a task that is loaded is up: stopping it means something.
                State::Failed if unit.kind == Kind::Task && known.job.is_some() => State::Running,
                state => state,
            };
            UnitState {
                unit: unit.id(),
                loaded: known.job.is_some() || known.installed,
                state,
                wanted: state::wanted(state),
                enabled: disabled.get(&names::label(unit)) != Some(&true),
                pid: known.pid(),
                origin,
            }
        };
        Ok(units.iter().zip(known).map(observe).collect())
    }

    fn status(&mut self, units: &[Service], _: Detail) -> Result<Vec<Status>> {
        status::status(self, units)
    }

    fn reload(&mut self, _: &[String]) -> Result<()> {
        // A definition is read when it is loaded, and every start and restart loads it anew.
        Ok(())
    }

    fn enable(&mut self, units: &[Service]) -> Result<()> {
        units.iter().try_for_each(|unit| self.switch(&names::label(unit), true))
    }

    fn disable(&mut self, units: &[Service]) -> Result<()> {
        units.iter().try_for_each(|unit| self.switch(&names::label(unit), false))
    }

    fn start(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::start(self, units, deadline, progress)
    }

    fn stop(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        stop::stop(self, units, deadline, progress)
    }

    fn restart(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::restart(self, units, deadline, progress)
    }

    fn stops(&mut self, units: &[Service], since: jiff::Timestamp) -> BTreeMap<String, Vec<Sent>> {
        let ids: Vec<String> = units.iter().map(Service::id).collect();
        crate::host::events::read::stops(&self.target.layout, &ids, since)
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn reload_units(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        let result = |unit: &Service| (unit.id(), verbs::reload(self, unit, deadline, progress));
        units.iter().map(result).collect()
    }

    fn forget(&mut self, units: &[Service]) -> Result<()> {
        for unit in units {
            if let Some(job) = self.find(unit)? {
                self.unload(unit, &job, Deadline::after(None), &mut crate::backend::Silent)?;
            }
            // What is disabled stays so for whoever comes next under the same label, long after we are gone.
            let label = names::label(unit);
            if self.is_disabled(&label)? {
                self.switch(&label, true)?;
            }
        }
        Ok(())
    }

    fn lingers(&mut self) -> Result<Option<bool>> {
        Ok(None)
    }

    fn set_linger(&mut self, _: bool) -> Result<()> {
        Err(Error::new(Exit::Usage, "launchd has no lingering: an agent ends with its session")
            .hint("a service of the machine (`--system`, with `user = \"NAME\"`) runs without a login"))
    }

    fn logs(&mut self, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
        logs::logs(self, units, query, sink)
    }
}

/// A failure that concerns all of the units.
pub(super) fn for_all(units: &[Service], error: &Error) -> Vec<UnitResult> {
    units.iter().map(|unit| (unit.id(), Err(order::same(error)))).collect()
}
