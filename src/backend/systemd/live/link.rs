//! What daemonctl needs of a running systemd, whichever way it is reached.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::backend::Progress;
use crate::error::{Error, Result};

/// A unit in the manager's list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub(super) load: String,
    /// `active`, `inactive`, `activating`, `failed`...
    pub(super) active: String,
    /// `running`, `auto-restart`...
    pub(super) sub: String,
}

impl Listed {
    /// The manager has a definition of it, if a broken one.
    pub(super) fn is_loaded(&self) -> bool {
        !self.load.is_empty() && self.load != "not-found" && self.load != "stub"
    }

    /// Nothing of it runs or is about to.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed" | "")
    }

    /// It is up, and its main process with it.
    pub(super) fn just_runs(&self) -> bool {
        self.active == "active" && self.sub == "running"
    }

    /// It waits for its next start.
    pub(super) fn is_in_backoff(&self) -> bool {
        self.sub.starts_with("auto-restart")
    }
}

/// What can be asked about units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Where the definition is, and the main process.
    Origin,
    /// The main process.
    MainPid,
    /// Restarts so far.
    Restarts,
    /// The control group.
    Cgroup,
    /// What a status shows: when the state changed, the main process, restarts and its own words; of units that do
    /// not just run everything.
    State,
    /// Everything below.
    All,
}

/// What the manager says of a unit; what was not asked for is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) listed: Listed,
    pub(super) fragment: Option<PathBuf>,
    /// `success`, `exit-code`, `signal`, `timeout`, `start-limit-hit`...
    pub(super) result: String,
    pub(super) main_pid: Option<u32>,
    /// As `si_code` says it: 1 exited, 2 killed, 3 dumped.
    pub(super) exit_code: i32,
    pub(super) exit_status: i32,
    /// Microseconds since 1970, as the other times here.
    pub(super) exit_time: Option<u64>,
    /// The main process of the present or last run, also when it has ended.
    pub(super) last_pid: Option<u32>,
    /// When the main process of the present or last run was started.
    pub(super) started: Option<u64>,
    pub(super) changed: Option<u64>,
    pub(super) restarts: Option<u64>,
    /// Microseconds.
    pub(super) restart_delay: Option<u64>,
    pub(super) cgroup: Option<String>,
    pub(super) status_text: Option<String>,
    /// Of a timer.
    pub(super) next_elapse: Option<u64>,
    pub(super) last_trigger: Option<u64>,
}

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
}

impl Verb {
    /// `start`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
        }
    }
}

/// How long jobs are waited for, and who is told.
pub(super) struct Wait<'a> {
    /// None: as long as the units' own time-outs let them.
    pub(super) until: Option<Instant>,
    pub(super) progress: &'a mut dyn Progress,
}

/// How often a wait looks up whether somebody pressed Ctrl-C.
pub(super) const LOOK_UP: Duration = Duration::from_millis(100);

impl Wait<'_> {
    /// Until when to wait for the next event. An error: the time is over, or somebody wants no more.
    pub(super) fn slice(&self) -> Result<Instant> {
        let now = Instant::now();
        if self.progress.interrupted() {
            return Err(Error::failed("interrupted"));
        }
        match self.until {
            Some(until) if until <= now => Err(Error::timed_out("the time given was over")),
            Some(until) => Ok(until.min(now + LOOK_UP)),
            None => Ok(now + LOOK_UP),
        }
    }
}

/// How a job ended: `done`, `failed`, `timeout`, `dependency`, `canceled`... or why there was none.
pub(super) type JobEnd = Result<String>;

/// A way to a running systemd.
pub(super) trait Link: Send {
    /// Its version.
    fn version(&mut self) -> Result<Option<u32>>;
    /// Units by name, loading them from disk; in the order of the names.
    fn list(&mut self, units: &[String]) -> Result<Vec<Listed>>;
    /// Whether it keeps a definition of any unit that fits one of the patterns, loading none.
    fn holds(&mut self, patterns: &[String]) -> Result<bool>;
    /// What it says of units, in their order.
    fn facts(&mut self, units: &[String], ask: Ask) -> Result<Vec<Facts>>;
    /// `enabled`, `disabled`...; None: not told.
    fn file_states(&mut self, units: &[String]) -> Result<Vec<Option<String>>>;
    /// Has the jobs done at once, and waits for their ends.
    fn jobs(&mut self, jobs: &[(Verb, String)], wait: &mut Wait<'_>) -> Result<Vec<JobEnd>>;
    /// Forgets failures and start counters. Units it does not know are passed over.
    fn reset_failed(&mut self, units: &[String]) -> Result<()>;
    /// Reads all definitions anew.
    fn reload(&mut self) -> Result<()>;
    /// Makes the enable links that the units' `[Install]` asks for.
    fn enable(&mut self, units: &[String]) -> Result<()>;
    /// Removes them.
    fn disable(&mut self, units: &[String]) -> Result<()>;
}
