//! What every service manager is asked to do, and what it tells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Artifact, windows};
use crate::error::{Error, Result};
use crate::logs::LogQuery;
use crate::report::{Effect, Sent, State, Status, Wanted};
use crate::service::Service;
use crate::system::password::Password;

/// A unit's state as the manager tells it, as far as a plan needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// `web`, `web@blue`.
    pub unit: String,
    /// The manager knows a definition of it.
    pub loaded: bool,
    /// What it does.
    pub state: State,
    /// What is wanted.
    pub wanted: Option<Wanted>,
    /// It starts at boot.
    pub enabled: bool,
    /// Its main process.
    pub pid: Option<u32>,
    /// Where its definition is, as the manager tells it (systemd: `FragmentPath`).
    pub origin: Option<PathBuf>,
}

impl UnitState {
    /// Whether it is up, coming up, or would come up again by itself: whether stopping it means something.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        matches!(self.state, State::Running | State::Starting | State::Backoff | State::Stopping)
    }
}

/// How much `status` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What a table of many shows: state, enabled, pid, uptime, restarts.
    Table,
    /// Everything the manager knows.
    Full,
}

/// What is told while a manager is waited for.
pub trait Progress {
    /// `unit` (or the whole verb) now waits for `what`: "web: waiting for tcp 127.0.0.1:80".
    fn waiting(&mut self, unit: &str, what: &str);
    /// Somebody pressed Ctrl-C: give up at the next good moment.
    fn interrupted(&self) -> bool;
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn waiting(&mut self, _: &str, _: &str) {}
    fn interrupted(&self) -> bool {
        false
    }
}

/// What became of one unit.
pub type UnitResult = (String, Result<Effect>);

/// A time by which a verb must be done.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// After this time; None: what the services' own timeouts add up to.
    #[must_use]
    pub fn after(time: Option<Duration>) -> Self {
        Self(time.and_then(|time| Instant::now().checked_add(time)))
    }

    /// What is left; None: no bound of its own.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}

/// That a service cannot be reloaded, since its manifest does not say how.
#[must_use]
pub fn without_reload(unit: &Service) -> Error {
    let (id, name) = (unit.id(), &unit.name);
    Error::failed(format!("`{id}` has no `reload` in its manifest"))
        .hint(format!("give it a `[service.{name}.reload]` table, or use `restart`"))
}

/// The way to a real manager. All the units it is given are complete ([`Service::units`]) and in dependency order.
///
/// Each verb keeps the contract of the crate documentation: it returns when its postcondition was seen in the
/// manager's typed answer, and says which unit failed and why, with the unit's last log lines as a detail.
pub trait Manager {
    /// Has the manager's own parser read the artifacts before anything is changed. `files` are all the files that
    /// belong to the services; an error or a warning of the parser is an error with the parser's words.
    fn verify(&mut self, files: &[Artifact]) -> Result<()>;

    /// What a plan needs to know of each unit.
    fn observe(&mut self, units: &[Service]) -> Result<Vec<UnitState>>;

    /// The status of each unit, in their order. Fields that are the same on every backend (drift, manifest,
    /// processes, ports, cpu, memory) are filled in by the caller.
    fn status(&mut self, units: &[Service], detail: Detail) -> Result<Vec<Status>>;

    /// What of a manifest's services people who are no administrators could change, a line each: the programs, the folders
    /// above them, the manifest. Only managers of systems where that happens by itself look.
    fn guard(&mut self, manifest: &Path, services: &[Service]) -> Result<Vec<String>> {
        let (_, _) = (manifest, services);
        Ok(Vec::new())
    }

    /// Whether the account of an entry is one with a password.
    fn has_password(&self, config: &windows::config::ScmConfig) -> bool {
        let _ = config;
        false
    }

    /// Whether the account of an entry can be set only with its password.
    fn wants_password(&mut self, config: &windows::config::ScmConfig) -> Result<bool> {
        let _ = config;
        Ok(false)
    }

    /// Takes the password of an account, for entries that are put from now on.
    fn take_password(&mut self, account: &str, password: Password) {
        let (_, _) = (account, password);
    }

    /// What the manager's own data base holds at an artifact's path that is no file's, told as far as it matters to
    /// what is `wanted` there: what means the same is told in the same words. None: nothing is there. Only a manager
    /// whose backend renders such artifacts is asked.
    fn entry(
        &mut self,
        path: &Path,
        wanted: Option<&windows::config::ScmConfig>,
    ) -> Result<Option<windows::config::ScmConfig>> {
        let _ = wanted;
        Err(Error::failed(format!("`{}` is no artifact of this manager", path.display())))
    }

    /// Puts it there: changes what differs, or makes it; None: takes away what is there. Returns what the operator
    /// should know of it.
    fn put_entry(&mut self, path: &Path, wanted: Option<&windows::config::ScmConfig>) -> Result<Vec<String>> {
        let _ = wanted;
        Err(Error::failed(format!("`{}` is no artifact of this manager", path.display())))
    }

    /// Makes changed definitions effective. `changed`: units whose files were written or removed; a backend
    /// that finds new definitions by itself does nothing where none of them was loaded before.
    fn reload(&mut self, changed: &[String]) -> Result<()>;

    /// Makes the units start at boot, beyond what the enable links among the artifacts do.
    fn enable(&mut self, units: &[Service]) -> Result<()>;

    /// Makes the units not start at boot.
    fn disable(&mut self, units: &[Service]) -> Result<()>;

    /// Starts the units and waits until each is up and ready.
    fn start(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult>;

    /// Stops the units, last first, and waits until every process is gone.
    fn stop(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult>;

    /// Stops and starts the units.
    fn restart(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult>;

    /// How the units were stopped since a time, rung by rung, by name: where daemonctl's host did that.
    fn stops(&mut self, _: &[Service], _since: jiff::Timestamp) -> BTreeMap<String, Vec<Sent>> {
        BTreeMap::new()
    }

    /// What the manager itself has by a service's name that daemonctl did not install, in words. None: nothing, or it can't
    /// be told.
    fn stranger(&mut self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// What the operator should know of what was done since the last call.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Has each unit's reload action delivered, and sees that it is still up.
    fn reload_units(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult>;

    /// Makes the manager forget units that are stopped and whose files are gone (failed states, counters).
    fn forget(&mut self, units: &[Service]) -> Result<()>;

    /// User scope: whether the user's services outlive the login. None: no such notion here.
    fn lingers(&mut self) -> Result<Option<bool>>;

    /// Switches lingering.
    fn set_linger(&mut self, on: bool) -> Result<()>;

    /// What that means, for the operator.
    fn linger_note(&self, on: bool) -> String {
        let text = if on {
            "lingering was switched on, so that the services start at boot and outlive the login; uninstall switches it \
             off again"
        } else {
            "lingering, which daemonctl had switched on, was switched off"
        };
        text.to_owned()
    }

    /// Gives each line that the query asks for to `sink`, merged by time, until it says stop, the end is reached
    /// (without `follow`) or a source fails.
    fn logs(&mut self, units: &[Service], query: &LogQuery, sink: &mut dyn crate::logs::Sink) -> Result<()>;
}
