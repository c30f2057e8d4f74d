//! Backends: one service manager's file formats and calls each.
//!
//! A [`Backend`] is pure: it answers for keys and renders artifacts, on every operating system. What talks to the
//! real thing is its [`Manager`], which `connect` opens.
//!
//! To add a backend: a folder or file here, its templates, and a line in [`ALL`].

pub mod offline;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::key::Key;
use crate::layout::{Layout, Scope, below};
use crate::logs::LogQuery;
use crate::report::{Effect, Sent, State, Status, Wanted};
use crate::service::{Secret, Service};
use crate::system::password::Password;

pub mod embedded;
pub mod launchd;
mod signing;
pub mod systemd;
pub mod windows;

/// The service managers that daemonctl knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// systemd.
    Systemd,
    /// launchd of macOS.
    Launchd,
    /// The Service Control Manager of Windows.
    Windows,
    /// `OpenRC`.
    Openrc,
    /// System V init scripts.
    Sysv,
    /// runit.
    Runit,
    /// rc.d of `FreeBSD`.
    Rcd,
    /// daemonctl's own supervisor.
    Embedded,
}

impl BackendKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 8] =
        [Self::Systemd, Self::Launchd, Self::Windows, Self::Openrc, Self::Sysv, Self::Runit, Self::Rcd, Self::Embedded];

    /// Its name on the command line and in `[service.NAME.on.NAME]`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::Windows => "windows",
            Self::Openrc => "openrc",
            Self::Sysv => "sysv",
            Self::Runit => "runit",
            Self::Rcd => "rcd",
            Self::Embedded => "embedded",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The machine, manager and scope that a manifest is resolved, rendered and installed for.
#[derive(Debug, Clone)]
pub struct Target {
    /// The service manager.
    pub backend: BackendKind,
    /// The operating system, as `[service.NAME.on.OS]` names it: `linux`, `macos`, `windows`, `freebsd`.
    pub os: &'static str,
    /// Whose services.
    pub scope: Scope,
    /// The manager's version (systemd: 252), where it has one and it is known; None: the newest is assumed.
    pub version: Option<u32>,
    /// Where daemonctl keeps its things there.
    pub layout: Layout,
    /// This machine, as opposed to another one's target given to `render`.
    pub local: bool,
    /// launchd, user scope: nobody is logged in at the screen, so agents are for background sessions where their manifest
    /// does not say for which.
    pub background: bool,
    /// The path of the host's binary as units shall name it.
    pub host_binary: PathBuf,
}

impl Target {
    /// Another machine's target: the usual folders of its system, the newest version of its manager.
    #[must_use]
    pub fn elsewhere(backend: BackendKind, scope: Scope) -> Self {
        let os = match backend {
            BackendKind::Launchd => "macos",
            BackendKind::Windows => "windows",
            BackendKind::Rcd => "freebsd",
            BackendKind::Systemd
            | BackendKind::Openrc
            | BackendKind::Sysv
            | BackendKind::Runit
            | BackendKind::Embedded => "linux",
        };
        let layout = Layout::elsewhere(os, scope);
        let program = if os == "windows" { "daemonctl.exe" } else { "daemonctl" };
        let host_binary = below(&layout.host_binaries(), program);
        Self { backend, os, scope, version: None, layout, local: false, background: false, host_binary }
    }
}

/// How a key is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By the manager itself; the text says by what (`Restart=`).
    Native(Cow<'static, str>),
    /// By daemonctl's host; the text says why the manager can't.
    Host(Cow<'static, str>),
    /// Not at all.
    Refused {
        /// Why.
        why: Cow<'static, str>,
        /// What to write instead.
        remedy: Cow<'static, str>,
    },
}

/// How one service is run on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hosting {
    /// The manager runs the program itself.
    Native,
    /// The manager runs daemonctl's host, and that runs the program.
    Hosted,
}

/// A native thing that a backend renders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Absolute, on the target machine (without `--root`); for what is no file, a place in the registry
    /// ([`windows::config::SERVICES`]).
    pub path: PathBuf,
    /// What it is.
    pub body: Body,
    /// The unit whose restart makes a change of it effective; None: none (an enable link). The name of a service with
    /// instances means all of them (a template).
    pub unit: Option<String>,
}

/// What an artifact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A regular file.
    File {
        /// Its bytes.
        content: Vec<u8>,
        /// Permission bits: 0o644, or 0o600 for what holds secrets.
        mode: u32,
        /// A change of it makes the manager load its definitions again (a unit file), as opposed to a file
        /// that only the service or host reads.
        definition: bool,
    },
    /// A 0600 file made of secrets. Rendering is pure and never sees a value: install reads each from its source when
    /// it plans, and the receipt keeps neither value nor digest.
    Secrets {
        /// The secrets by name.
        entries: BTreeMap<String, Secret>,
        /// How they are written down.
        format: SecretFormat,
    },
    /// What the service control manager of Windows keeps of a service.
    Scm(Box<windows::config::ScmConfig>),
    /// A symbolic link (an enabled unit).
    Link {
        /// What it points to.
        target: PathBuf,
    },
}

/// How secrets stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretFormat {
    /// Lines that systemd's `EnvironmentFile=` reads.
    SystemdEnvironment,
    /// The value and a newline, for a file of one secret.
    Plain,
}

impl SecretFormat {
    /// The file's content.
    pub fn content(self, values: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let mut content = String::new();
        for (name, value) in values {
            match self {
                Self::SystemdEnvironment => {
                    if let Some(why) = crate::quote::systemd::variable_refused(name, value) {
                        return Err(Error::new(Exit::Manifest, format!("secret `{name}` {why}"))
                            .hint("hand it over as a file: `{ credential = \"NAME\" }`"));
                    }
                    content.push_str(&crate::quote::systemd::EnvFileLine { name, value }.to_string());
                    content.push('\n');
                }
                Self::Plain => {
                    content.push_str(value);
                    content.push('\n');
                }
            }
        }
        Ok(content.into_bytes())
    }
}

impl Body {
    /// Bytes of its content.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::File { content, .. } => content.len(),
            Self::Secrets { .. } | Self::Link { .. } => 0,
            Self::Scm(_) => 1024,
        }
    }

    /// Whether it has no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether a manager runs the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// It does.
    pub found: bool,
    /// How that was told, in words: "`/run/systemd/system` exists".
    pub why: String,
}

/// One service manager's formats. Pure.
pub trait Backend: Sync {
    /// Which.
    fn kind(&self) -> BackendKind;

    /// How it meets a key: for this service, or in general where none is given. Exhaustive over [`Key`].
    fn answer(&self, key: Key, service: Option<&Service>, target: &Target) -> Answer;

    /// Every service needs daemonctl's host here, whatever its keys.
    fn always_hosts(&self) -> bool;

    /// Starting at boot is all a matter of artifacts (enable links) here, as opposed to a data base of the manager's.
    fn enables_by_files(&self) -> bool {
        true
    }

    /// The native names that `service` (with all its instances) takes up: `web.service`, `web.timer`. Two services
    /// never share one; an error names the name that the manager can't have.
    fn native_names(&self, service: &Service, target: &Target) -> Result<Vec<String>>;

    /// The files that make the service, enable links among them if `service.start` is not manual.
    fn render(&self, service: &Service, hosting: Hosting, target: &Target) -> Result<Vec<Artifact>>;

    /// Folders that its manager opens files of a unit in, and makes none of: install makes them, and gives them to the unit's
    /// user.
    fn opens_in(&self, _unit: &Service, _hosting: Hosting, _target: &Target) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Whether it runs this machine in `scope`.
    fn detect(&self, scope: Scope) -> Detection;

    /// The manager's version on this machine, where that matters.
    fn version(&self, scope: Scope) -> Option<u32>;

    /// Whether a user's services are for background sessions here, since there is no session at a screen.
    fn background(&self, _scope: Scope) -> bool {
        false
    }

    /// The main process of a unit as far as the machine shows it without the manager: a guess that `status` looks at
    /// while the manager is asked, and drops where the manager names another. None: no guess.
    fn glance(&self, _unit: &Service, _scope: Scope) -> Option<u32> {
        None
    }

    /// Opens the way to the real manager.
    fn connect(&self, target: &Target) -> Result<Box<dyn Manager>>;
}

/// Every backend, in the order in which detection asks.
pub static ALL: &[&dyn Backend] = &[&systemd::Systemd, &launchd::Launchd, &windows::Windows, &embedded::Embedded];

/// The backend of a kind. None: not built yet.
#[must_use]
pub fn find(kind: BackendKind) -> Option<&'static dyn Backend> {
    ALL.iter().copied().find(|backend| backend.kind() == kind)
}

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
