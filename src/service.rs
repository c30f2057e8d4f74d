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
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::manifest::Position;

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
    pub health: Option<Health>,
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
    pub schedule: Option<Schedule>,
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

/// Something that can be asked for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A TCP connection to `host:port` succeeds.
    Tcp(String),
    /// An HTTP request gives one of the statuses (empty: 200 to 399).
    Http {
        /// `http://` or `https://`.
        url: String,
        /// Accepted statuses.
        status: Vec<u16>,
    },
    /// A command exits with 0.
    Exec(Argv),
    /// A file or folder exists.
    File(PathBuf),
}

/// A condition waited for before a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitFor {
    /// What must answer.
    pub probe: Probe,
    /// Then the start fails.
    pub timeout: Duration,
}

/// How it is known that a service is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyWhen {
    /// `sd_notify(READY=1)`.
    Notify,
    /// A probe answers.
    Probe(Probe),
    /// A line of its output contains this text.
    Log(String),
    /// It has lived for so long.
    Delay(Duration),
}

/// When `start` is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The sign.
    pub when: ReadyWhen,
    /// Then the start fails. More than zero.
    pub timeout: Duration,
}

/// How it is known that a service is still well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheck {
    /// A probe answers.
    Probe(Probe),
    /// `sd_notify(WATCHDOG=1)` at least every `interval`.
    Heartbeat,
}

/// Liveness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub check: HealthCheck,
    /// Time between two checks.
    pub interval: Duration,
    /// An answer that takes longer is a failure. At most `interval`.
    pub timeout: Duration,
    /// Failures in a row that make it unhealthy; at least 1.
    pub failures: u32,
    /// Successes in a row that make it healthy again; at least 1.
    pub successes: u32,
    /// Failures within this time of its start do not count.
    pub start_period: Duration,
    /// What then happens.
    pub action: HealthAction,
}

/// What an unhealthy service gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthAction {
    /// Stopped and started.
    Restart,
    /// Stopped, and left so.
    Stop,
    /// Only told.
    Event,
}

/// When it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// However it ended.
    Always,
    /// After a failure: a code that is no success code, or a signal.
    OnFailure,
    /// After success only.
    OnSuccess,
    /// Not at all.
    Never,
}

/// What happens when a service ends by itself. A stop that somebody asked for is never followed by a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    /// When at all.
    pub policy: RestartPolicy,
    /// Before the first restart.
    pub delay: Duration,
    /// Each further delay in a row is this many times the last; at least 1.
    pub factor: f64,
    /// No delay is longer.
    pub max_delay: Duration,
    /// Up to this part of the delay is added at random; 0 to 1.
    pub jitter: f64,
    /// More starts than this, and it has given up.
    pub limit: Option<RestartLimit>,
    /// A run this long makes the next delay the first again.
    pub reset_after: Duration,
    /// Exit codes that mean success, beside 0.
    pub success_codes: Vec<i32>,
    /// Exit codes after which it is never started again.
    pub prevent_codes: Vec<i32>,
}

/// At most `count` restarts `within` a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// At least 1.
    pub count: u32,
    /// More than zero.
    pub within: Duration,
}

/// How a service is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopSignal {
    /// A Unix signal.
    Signal(Signal),
    /// Windows: Ctrl-C on its console.
    CtrlC,
    /// Windows: Ctrl-Break.
    CtrlBreak,
    /// Windows: `WM_CLOSE` to its windows.
    Close,
}

/// The Unix signals a manifest may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the signals'")]
pub enum Signal {
    Abrt,
    Alrm,
    Cont,
    Hup,
    Int,
    Kill,
    Quit,
    Term,
    Usr1,
    Usr2,
    Winch,
}

impl Signal {
    /// Every signal, in the order of its name.
    pub const ALL: [Self; 11] = [
        Self::Abrt,
        Self::Alrm,
        Self::Cont,
        Self::Hup,
        Self::Int,
        Self::Kill,
        Self::Quit,
        Self::Term,
        Self::Usr1,
        Self::Usr2,
        Self::Winch,
    ];

    /// Its name without `SIG`: `TERM`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abrt => "ABRT",
            Self::Alrm => "ALRM",
            Self::Cont => "CONT",
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
        }
    }
}

/// Who is killed when asking did not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillScope {
    /// Every process that came of it.
    Tree,
    /// Its process group.
    Group,
    /// The main process only.
    Main,
}

/// How a service is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Run first; the signal follows when the service still runs after it.
    pub command: Option<Argv>,
    /// Then this.
    pub signal: StopSignal,
    /// Then it is killed. More than zero.
    pub timeout: Duration,
    /// Who is killed.
    pub kill: KillScope,
}

/// What `reload` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// The action.
    pub action: ReloadAction,
    /// Must succeed first.
    pub check: Option<Argv>,
}

/// How a service is told to read its configuration again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadAction {
    /// A signal to the main process.
    Signal(Signal),
    /// A command; `$MAINPID` is in its environment.
    Command(Argv),
    /// A POST request.
    Http(String),
}

/// Files whose change means something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Absolute; may have `*`, `?` and `**`.
    pub paths: Vec<String>,
    /// What a change brings about.
    pub action: WatchAction,
    /// Further changes within this time are the same change.
    pub debounce: Duration,
}

/// What a changed file brings about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchAction {
    /// The reload action.
    Reload,
    /// A restart.
    Restart,
    /// A command.
    Command(Argv),
}

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// To journald, the Event Log, the unified log or syslog.
    pub native: bool,
    /// To files.
    pub file: Option<LogFile>,
    /// What a line looks like.
    pub format: LogFormat,
    /// A file larger than this is rotated, bytes. None: no limit by size.
    pub max_size: Option<u64>,
    /// A file older than this is rotated, and a rotated one that old is deleted.
    pub max_age: Option<Duration>,
    /// Rotated files kept.
    pub keep: Option<u32>,
    /// Bytes of all files together.
    pub total: Option<u64>,
    /// How rotated files are kept.
    pub compress: Compress,
    /// Where rotated files go.
    pub archive: Option<Archive>,
}

/// The files output goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFile {
    /// The host's own folder for this service.
    Default,
    /// Both streams in one file.
    One(PathBuf),
    /// A file each.
    Apart {
        /// For standard output.
        stdout: PathBuf,
        /// For standard error.
        stderr: PathBuf,
    },
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// As written.
    Raw,
    /// With the time in front.
    Timestamped,
    /// A JSON object a line.
    Json,
}

/// How rotated files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compress {
    /// As they are.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// Where rotated files go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archive {
    /// A folder.
    Folder(PathBuf),
    /// A command that is given the file's path as its last argument.
    Command(Argv),
}

/// What a service may use up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processor cores; more than 0.
    pub cpu: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// File descriptors.
    pub open_files: Option<u64>,
    /// How it is scheduled.
    pub priority: Option<Priority>,
}

/// What raises an event when it is exceeded, and another when that is over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Thresholds {
    /// Resident bytes of all its processes.
    pub memory: Option<u64>,
    /// Processor cores, averaged over about ten seconds; more than 0.
    pub cpu: Option<f64>,
    /// Restarts within the last hour.
    pub restarts_per_hour: Option<u32>,
}

impl Thresholds {
    /// Nothing is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.memory.is_none() && self.cpu.is_none() && self.restarts_per_hour.is_none()
    }
}

/// How a service is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Only when nothing else wants to run.
    Idle,
    /// After others.
    Low,
    /// As others.
    Normal,
    /// Before others.
    High,
}

/// What a service may touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Security {
    /// The ready-made set.
    pub profile: Profile,
    /// Folders and files it may write, whatever the profile says. Absolute.
    pub read_write: Vec<PathBuf>,
    /// Linux capabilities it keeps: `CAP_...`. None: what the profile says.
    pub capabilities: Option<Vec<String>>,
    /// Secrets by the name of the variable or credential.
    pub secrets: BTreeMap<String, Secret>,
}

/// A ready-made set of restrictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nothing is restricted.
    None,
    /// What nearly every service can live with.
    Standard,
    /// All that can be taken away from a network service.
    Strict,
}

/// Where a secret comes from. Its value never stands in a unit, an argv, a receipt or a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// A file's content, less one newline at its end.
    File(PathBuf),
    /// A variable of the environment in which `install` runs.
    Env(String),
    /// A command's standard output, run by `install`.
    Command(Argv),
    /// A credential of the service manager.
    Credential(String),
}

/// A command around a service's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// What is run.
    pub action: HookAction,
    /// Then it is killed, and has failed.
    pub timeout: Duration,
    /// What its failure means.
    pub on_failure: HookFailure,
    /// With a webhook: the key that its requests are signed with. Never a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

/// What a hook does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookAction {
    /// A command.
    Command(Argv),
    /// A POST request; for `event` only.
    Webhook(String),
}

/// What a hook's failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookFailure {
    /// What it stands before does not happen.
    Abort,
    /// It is only told.
    Ignore,
}

/// Commands around a service's life, each list in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say when")]
pub struct Hooks {
    pub pre_start: Vec<Hook>,
    pub post_start: Vec<Hook>,
    pub pre_stop: Vec<Hook>,
    pub post_stop: Vec<Hook>,
    pub event: Vec<Hook>,
}

/// When a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The rule.
    pub when: ScheduleWhen,
    /// Up to this much later, at random.
    pub jitter: Duration,
    /// A run missed while the machine was off is made up for.
    pub persistent: bool,
}

/// The rule of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleWhen {
    /// So long after the last start.
    Every(Duration),
    /// At these times of the wall clock, local time.
    Calendar(Calendar),
}

/// Times of the wall clock. Each list that is empty means every value; the day of the week and the day of the
/// month must both fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Calendar {
    /// 1 (Monday) to 7 (Sunday).
    pub weekdays: Vec<u8>,
    /// 1 to 12.
    pub months: Vec<u8>,
    /// 1 to 31.
    pub days: Vec<u8>,
    /// 0 to 23.
    pub hours: Vec<u8>,
    /// 0 to 59.
    pub minutes: Vec<u8>,
}
