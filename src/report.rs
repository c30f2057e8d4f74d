//! What a command returns: data first, text second. `cli::output` is the one place that prints it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::layout::Scope;

/// How text is dressed for where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With colour.
    pub color: bool,
    /// Columns; None: not a terminal, no line is cut.
    pub width: Option<usize>,
    /// Only what was asked for, no remarks.
    pub quiet: bool,
}

/// Something that a command shows.
pub trait View {
    /// For machines: stable, documented by `daemonctl schema`.
    fn json(&self) -> serde_json::Value;
    /// For people; ends with a newline unless empty.
    fn text(&self, style: &Style) -> String;
}

/// A command's answer.
pub struct Report {
    /// The exit code.
    pub exit: Exit,
    /// The exit status of a program that is passed on in its place.
    pub passed_on: Option<u8>,
    /// What is shown.
    pub view: Box<dyn View>,
}

impl Report {
    /// An answer with exit code 0.
    #[must_use]
    pub fn done(view: impl View + 'static) -> Self {
        Self { exit: Exit::Done, passed_on: None, view: Box::new(view) }
    }

    /// The same answer under another code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// What a service is doing, the same words on every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Up, and ready where the manifest says what ready means.
    Running,
    /// On its way up: waiting for conditions, hooks or readiness.
    Starting,
    /// On its way down.
    Stopping,
    /// Ended, and waiting for its next start.
    Backoff,
    /// A oneshot or task that ran to its end with success.
    Completed,
    /// Down, as wanted.
    Stopped,
    /// Ended with a failure, and stays down.
    Failed,
    /// Ended too often; nobody starts it again but a person.
    GaveUp,
    /// No such service is installed.
    NotInstalled,
    /// The manager gave an answer that daemonctl does not know; it is shown as it came.
    Unknown,
}

impl State {
    /// The word that is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::GaveUp => "gave-up",
            Self::NotInstalled => "not-installed",
            Self::Unknown => "unknown",
        }
    }

    /// `status`' exit code for one service in this state.
    #[must_use]
    pub const fn exit(self) -> Exit {
        match self {
            Self::Running | Self::Completed => Exit::Done,
            Self::Starting | Self::Stopping | Self::Stopped | Self::Unknown => Exit::NotRunning,
            Self::Backoff | Self::Failed | Self::GaveUp => Exit::ServiceFailed,
            Self::NotInstalled => Exit::NotInstalled,
        }
    }
}

/// What somebody wanted last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// To run.
    Up,
    /// To be down; no restart policy brings it back.
    Down,
}

/// How the last run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastExit {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal's name without `SIG`, if one ended it.
    pub signal: Option<String>,
    /// In words: "exited with code 3", "killed by SIGKILL", "did not become ready within 30 s".
    pub reason: String,
    /// When, RFC 3339.
    pub at: Option<String>,
}

/// One readiness or liveness check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// `ready` or `health`.
    pub name: String,
    /// What is asked: `tcp 127.0.0.1:80`.
    pub what: String,
    /// None: not asked yet.
    pub ok: Option<bool>,
    /// The last answer, in words.
    pub message: Option<String>,
}

/// A process of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its parent, where that is one of the service's processes too.
    pub parent: Option<u32>,
    /// The command line, argv joined by spaces.
    pub command: String,
    /// Resident bytes.
    pub memory: u64,
    /// Percent of one core, averaged over its life.
    pub cpu: f64,
}

/// A rung of a stop: who was sent what, when, and who ignored it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Milliseconds after the stop began.
    pub after_ms: u64,
    /// `SIGTERM`, `stop command ...`.
    pub what: String,
    /// To which processes.
    pub to: Vec<i32>,
    /// Those among them that were still there at the next rung.
    pub ignored_by: Vec<i32>,
}

/// What is different from what was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// Nothing.
    None,
    /// The manifest has changed since; `install` brings it over.
    Manifest,
    /// Somebody changed an installed file.
    Artifact,
    /// An installed file is gone.
    Missing,
}

/// One service's state, the same fields on every backend, in text and in JSON.
///
/// A field that the backend cannot tell, or that was not asked for (a table of many leaves out what is
/// dear), is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// `web`, or `web@blue` for an instance.
    pub name: String,
    /// `systemd`, `embedded`, ...
    pub backend: String,
    /// Whose.
    pub scope: Scope,
    /// What it does.
    pub state: State,
    /// What the manager said, in its own words: `active (running)`.
    pub raw_state: Option<String>,
    /// What is wanted.
    pub wanted: Option<Wanted>,
    /// Started at boot (user scope: with the user's manager).
    pub enabled: Option<bool>,
    /// The main process.
    pub pid: Option<u32>,
    /// Since when in this state, RFC 3339.
    pub since: Option<String>,
    /// Seconds the main process has run.
    pub uptime: Option<f64>,
    /// Restarts by the manager or host since the last start by a person. None also: not asked for, in a table of very
    /// many units (systemd: 200) without `--full`, of those that run.
    pub restarts: Option<u64>,
    /// When it is started again, RFC 3339.
    pub next_retry: Option<String>,
    /// How the last run ended.
    pub last_exit: Option<LastExit>,
    /// Whether it is ready, where the manifest says what ready means.
    pub ready: Option<bool>,
    /// Whether it is healthy, where the manifest has a health check.
    pub healthy: Option<bool>,
    /// Each check.
    pub checks: Vec<Check>,
    /// Percent of one core, averaged over the life of its processes.
    pub cpu: Option<f64>,
    /// Resident bytes of all its processes.
    pub memory: Option<u64>,
    /// Number of its processes and threads.
    pub tasks: Option<u64>,
    /// Its processes, parents first.
    pub processes: Vec<Process>,
    /// Listening ports: `tcp 127.0.0.1:80`.
    pub ports: Vec<String>,
    /// Where its output is.
    pub logs: Option<String>,
    /// Last run of a task, RFC 3339.
    pub last_run: Option<String>,
    /// Next run of a task, RFC 3339.
    pub next_run: Option<String>,
    /// The manifest that owns it.
    pub manifest: Option<String>,
    /// What differs from what was installed.
    pub drift: Option<Drift>,
    /// The files that differ.
    pub drift_files: Vec<String>,
    /// daemonctl's host runs it.
    pub hosted: bool,
    /// The last stop by daemonctl's host, rung by rung.
    #[serde(default)]
    pub last_stop: Vec<Sent>,
    /// Anything else the operator should know.
    pub notes: Vec<String>,
}

impl Status {
    /// A status that says only that the service is not installed.
    #[must_use]
    pub fn not_installed(name: &str, backend: &str, scope: Scope) -> Self {
        Self {
            name: name.to_owned(),
            backend: backend.to_owned(),
            scope,
            state: State::NotInstalled,
            raw_state: None,
            wanted: None,
            enabled: None,
            pid: None,
            since: None,
            uptime: None,
            restarts: None,
            next_retry: None,
            last_exit: None,
            ready: None,
            healthy: None,
            checks: Vec::new(),
            cpu: None,
            memory: None,
            tasks: None,
            processes: Vec::new(),
            ports: Vec::new(),
            logs: None,
            last_run: None,
            next_run: None,
            manifest: None,
            drift: None,
            drift_files: Vec::new(),
            hosted: false,
            last_stop: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// What a verb did to one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It was so already.
    Unchanged,
    /// Put there.
    Installed,
    /// Put there anew, with changes.
    Updated,
    /// Taken away.
    Removed,
    /// It was not there.
    Absent,
    /// Started.
    Started,
    /// Stopped.
    Stopped,
    /// Stopped and started.
    Restarted,
    /// Told to read its configuration again.
    Reloaded,
    /// Will start at boot.
    Enabled,
    /// Will not start at boot.
    Disabled,
    /// Failed; the message says why.
    Failed,
}

impl Effect {
    /// The word that is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Installed => "installed",
            Self::Updated => "updated",
            Self::Removed => "removed",
            Self::Absent => "absent",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Restarted => "restarted",
            Self::Reloaded => "reloaded",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Failed => "failed",
        }
    }
}

/// What a verb did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The verb: `install`, `start`, ...
    pub verb: String,
    /// The backend it was done on.
    pub backend: String,
    /// Whose services.
    pub scope: Scope,
    /// Each unit, in the order in which it was dealt with.
    pub units: Vec<UnitOutcome>,
    /// What the operator should know: a finished or rolled back journal, linger, warnings.
    pub notes: Vec<String>,
}

/// What a verb did to one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnitOutcome {
    /// Its name.
    pub name: String,
    /// What was done.
    pub effect: Effect,
    /// In words, where there is more to say.
    pub message: Option<String>,
    /// Its state after, where it was looked at.
    pub state: Option<State>,
    /// Its main process after.
    pub pid: Option<u32>,
    /// How it was stopped, rung by rung, where daemonctl's host did that.
    #[serde(default)]
    pub stop: Vec<Sent>,
}
