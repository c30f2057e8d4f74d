//! The resolved service: absolute, complete, nothing left to guess.
//!
//! `manifest::resolve` makes it from the manifest's tables; backends render it, the host runs it, receipts
//! keep it. It is plain data and serializes, so that a host can be handed its service as a file.
//!
//! A service with instances stands once, its texts carrying [`INSTANCE_MARK`] where the manifest says
//! `${instance}`: a backend with templates writes the mark in its own way, every other asks for
//! [`Service::units`], one complete service an instance.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::manifest::Position;

mod hooks;
mod limits;
mod logs;
mod probe;
mod reload;
mod restart;
mod schedule;
mod security;
mod stop;
mod trusts;

pub use hooks::{Hook, HookAction, HookFailure, Hooks};
pub use limits::{Limits, Priority, Thresholds};
pub use logs::{Archive, Compress, LogFile, LogFormat, Logs};
pub use probe::{Health, HealthAction, HealthCheck, Probe, Ready, ReadyWhen, WaitFor};
pub use reload::{Reload, ReloadAction, Watch, WatchAction};
pub use restart::{Restart, RestartLimit, RestartPolicy};
pub use schedule::{Calendar, Schedule, ScheduleWhen};
pub use security::{Profile, Secret, Security};
pub use stop::{KillScope, Signal, Stop, StopSignal};

/// Stands for the instance's name in the texts of a service that has instances. It is a private-use
/// character; a manifest that contains it is refused.
pub const INSTANCE_MARK: char = '\u{e000}';

/// One service, as the backends and the host see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The manifest's name for it: letters, digits, `-`, `_`, `.`; 1 to 80 characters.
    pub name: String,
    /// Names of the instances; empty for a service without instances.
    pub instances: Vec<String>,
    /// Which instance this is, once [`Service::units`] has made one of it.
    pub instance: Option<String>,
    /// One line for people; the name where the manifest says nothing.
    pub description: String,
    /// The name that Windows and launchd tools show.
    pub display_name: Option<String>,
    /// The launchd label; default: the name.
    pub label: Option<String>,
    /// URLs.
    pub documentation: Vec<String>,
    /// The argv; the first is an absolute path, or a bare name where the target is another machine.
    pub exec: Vec<String>,
    /// Absolute. None: the backend's default, `/`.
    pub working_dir: Option<PathBuf>,
    /// Account name; None: the manager's own (root in system scope, oneself in user scope).
    pub user: Option<String>,
    /// Group name; None: the user's own.
    pub group: Option<String>,
    /// Permission bits that new files lose, 0 to 0o777.
    pub umask: Option<u32>,
    /// Added to the environment.
    pub env: BTreeMap<String, String>,
    /// Read when the service starts; later files win over earlier ones, and `env` wins over all.
    pub env_files: Vec<EnvFile>,
    /// When it starts.
    pub start: Start,
    /// Whether daemonctl's own supervisor runs it.
    pub host: HostMode,
    /// Service, oneshot or task.
    pub kind: Kind,
    /// Starts after these.
    pub after: Vec<Dependency>,
    /// Starts after these and fails with them.
    pub requires: Vec<Dependency>,
    /// Starts these too, after them, and goes on without them.
    pub wants: Vec<Dependency>,
    /// The instances of the services that it depends on, by name, for those that have any: a manager that knows
    /// only units must be told each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub instances_of: BTreeMap<String, Vec<String>>,
    /// Its texts name `${state_dir}`, `${log_dir}` or `${runtime_dir}`: `manifest::folders` tells which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_folders: bool,
    /// Conditions waited for before each start.
    pub wait_for: Vec<WaitFor>,
    /// When it counts as up; None: as soon as its program runs.
    pub ready: Option<Ready>,
    /// Liveness check.
    pub health: Option<Box<Health>>,
    /// What happens when it ends by itself.
    pub restart: Restart,
    /// How it is stopped.
    pub stop: Stop,
    /// What `reload` does; None: it can't.
    pub reload: Option<Reload>,
    /// What happens when files change.
    pub watch: Option<Watch>,
    /// Where its output goes.
    pub logs: Logs,
    /// What it may use up.
    pub limits: Limits,
    /// What is worth an event.
    #[serde(default, skip_serializing_if = "Thresholds::is_empty")]
    pub thresholds: Thresholds,
    /// What it may touch.
    pub security: Security,
    /// Commands around its life.
    pub hooks: Hooks,
    /// For `type = "task"`.
    pub schedule: Option<Box<Schedule>>,
    /// Settings of this backend without a common meaning, checked for shape: the table of the manifest
    /// that is named like the target backend, as JSON; null where there is none.
    pub native: serde_json::Value,
    /// The keys that the manifest gives for this service, with the position of each; resolving adds no
    /// key that the user did not write (nor one from `[defaults]`, whose positions point there).
    pub given: BTreeMap<Key, Position>,
}

impl Service {
    /// The name of the unit: `web`, or `web@blue` for an instance.
    #[must_use]
    pub fn id(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}@{instance}", self.name),
            None => self.name.clone(),
        }
    }

    /// The permission bits that its files don't get; `strict` has an opinion where the manifest has none.
    #[must_use]
    pub fn effective_umask(&self) -> Option<u32> {
        self.umask.or_else(|| (self.security.profile == Profile::Strict).then_some(0o077))
    }

    /// Under a manager that builds sandboxes, daemonctl's host builds this one for what it runs: inside of it, it could not
    /// become another user.
    #[must_use]
    pub const fn host_builds_sandbox(&self) -> bool {
        matches!(self.security.profile, Profile::Strict) || self.security.capabilities.is_some()
    }

    /// Its program, its folder or something that it may write lies in somebody's home, which then can't be hidden from it.
    #[must_use]
    pub fn lives_at_home(&self) -> bool {
        let at_home = |path: &Path| ["/home", "/root", "/run/user"].iter().any(|home| path.starts_with(home));
        self.exec.first().is_some_and(|program| at_home(Path::new(program)))
            || self.working_dir.as_deref().is_some_and(at_home)
            || self.security.read_write.iter().any(|path| at_home(path))
    }

    /// The services that start before this one, by name.
    pub fn services_before(&self) -> impl Iterator<Item = &str> {
        self.after.iter().chain(&self.requires).chain(&self.wants).filter_map(|dependency| match dependency {
            Dependency::Service(name) => Some(name.as_str()),
            Dependency::Foreign(_) => None,
        })
    }

    /// One complete service an instance, in the manifest's order; the service itself where it has none.
    ///
    /// # Panics
    /// Never: a `Service` serializes to JSON and back by construction.
    #[must_use]
    pub fn units(&self) -> Vec<Self> {
        self.each_unit().map(Cow::into_owned).collect()
    }

    /// As [`Service::units`], without a copy of a service that has no instances.
    pub fn each_unit(&self) -> impl Iterator<Item = Cow<'_, Self>> {
        let alone = self.instances.is_empty().then_some(Cow::Borrowed(self));
        alone.into_iter().chain(self.instances.iter().map(|instance| Cow::Owned(self.instantiate(instance))))
    }

    #[expect(clippy::expect_used, reason = "plain data: JSON takes every value and gives it back")]
    fn instantiate(&self, instance: &str) -> Self {
        let mut value = serde_json::to_value(self).expect("a service is plain data");
        fill_in(&mut value, instance);
        let mut unit: Self = serde_json::from_value(value).expect("the shape has not changed");
        unit.instances = Vec::new();
        unit.instance = Some(instance.to_owned());
        unit
    }

    /// Whether the manifest gives this key.
    #[must_use]
    pub fn gives(&self, key: Key) -> bool {
        self.given.contains_key(&key)
    }
}

fn fill_in(value: &mut serde_json::Value, instance: &str) {
    use serde_json::Value;
    match value {
        Value::String(text) if text.contains(INSTANCE_MARK) => *text = text.replace(INSTANCE_MARK, instance),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, instance)),
        Value::Object(map) => map.values_mut().for_each(|item| fill_in(item, instance)),
        _ => {}
    }
}

/// A file of `NAME=value` lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Absolute.
    pub path: PathBuf,
    /// May be missing.
    pub optional: bool,
}

/// When a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// With the machine (user scope: with the user's manager).
    Boot,
    /// Some time after that, when the rush is over.
    Delayed,
    /// Only when told.
    Manual,
}

/// Who runs the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostMode {
    /// The manager itself, unless the manifest asks for what it can't do.
    Auto,
    /// daemonctl's host.
    Always,
    /// The manager itself; what it can't do is refused.
    Never,
}

/// What sort of program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runs until stopped.
    Service,
    /// Runs to completion; up when it has succeeded.
    Oneshot,
    /// Runs to completion whenever its schedule says so.
    Task,
}

/// Another service that this one names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dependency {
    /// A service of the same manifest. All of its instances are meant.
    Service(String),
    /// A unit of the service manager that daemonctl does not own, by the manager's own name
    /// (`network-online.target`, `postgresql.service`).
    Foreign(String),
}

/// A command: argv, program first.
pub type Argv = Vec<String>;
