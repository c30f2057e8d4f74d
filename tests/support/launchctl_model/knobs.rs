//! What a test may set: the machine as it is, and what reports disagree about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whose `print` is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Dialect {
    /// macOS 10.14 and 10.15.
    #[serde(rename = "10.14")]
    Mojave,
    /// macOS 11 to 14.
    #[serde(rename = "13")]
    Ventura,
    /// macOS 15 to 26.
    #[serde(rename = "26")]
    Tahoe,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Knobs {
    pub(crate) dialect: Dialect,
    /// How long one of the seconds between two spawns takes, in milliseconds.
    pub(crate) spawn_second: u64,
    /// How long one of the seconds of `ExitTimeOut` takes.
    pub(crate) exit_second: u64,
    /// Every account is played by the one that runs the model.
    pub(crate) one_account: bool,
    /// Who is logged in at the window server: whose `gui/UID` exists.
    pub(crate) gui: BTreeSet<u32>,
    /// Whose `user/UID` exists.
    pub(crate) user: BTreeSet<u32>,
    /// The session that an account calls from. Without an entry: `Aqua` for who is logged in there, else `Background`.
    pub(crate) sessions: BTreeMap<u32, String>,
    /// What is loaded at boot.
    pub(crate) daemons: Vec<PathBuf>,
    /// What is loaded at login, besides `Library/LaunchAgents` of the home.
    pub(crate) agents: Vec<PathBuf>,
    pub(crate) homes: BTreeMap<u32, PathBuf>,
    /// What every agent inherits.
    pub(crate) environment: BTreeMap<String, String>,
    /// launchd holds spawns back that nobody demanded (low power, on-demand-only, ...).
    pub(crate) pended: bool,
    /// Root gets error 5 for everything too.
    pub(crate) opaque: bool,
    /// What a successful `bootout` of a running job exits with: 0, or 36 on 10.15.
    pub(crate) bootout_code: i32,
    /// `bootout` of what is not loaded: 3 or 113.
    pub(crate) not_loaded_code: i32,
    /// A domain that does not exist, for all but `bootstrap`: 112, 113 or 1.
    pub(crate) no_domain_code: i32,
    /// `bootstrap` of what is loaded, as root: 37 or 17.
    pub(crate) already_code: i32,
    /// The signal of `kickstart -k`: reports differ.
    pub(crate) kick_signal: i32,
    /// A disabled job is not respawned.
    pub(crate) disabled_stays_down: bool,
    /// `kickstart` of a job whose last spawn failed with 78 never answers.
    pub(crate) kick_hangs_on_config: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            dialect: Dialect::Tahoe,
            spawn_second: 1000,
            exit_second: 1000,
            one_account: false,
            gui: BTreeSet::new(),
            user: BTreeSet::new(),
            sessions: BTreeMap::new(),
            daemons: vec!["/Library/LaunchDaemons".into()],
            agents: vec!["/Library/LaunchAgents".into()],
            homes: BTreeMap::new(),
            environment: BTreeMap::new(),
            pended: false,
            opaque: false,
            bootout_code: 0,
            not_loaded_code: 3,
            no_domain_code: 112,
            already_code: 37,
            kick_signal: 9,
            disabled_stays_down: false,
            kick_hangs_on_config: false,
        }
    }
}

impl Knobs {
    pub(crate) fn spawn_seconds(&self, seconds: u64) -> Duration {
        Duration::from_millis(self.spawn_second.saturating_mul(seconds))
    }

    /// None: for ever.
    pub(crate) fn exit_seconds(&self, seconds: u64) -> Option<Duration> {
        (seconds > 0).then(|| Duration::from_millis(self.exit_second.saturating_mul(seconds)))
    }

    /// The kind of session that an account calls from.
    pub(crate) fn session(&self, uid: u32) -> &str {
        match self.sessions.get(&uid) {
            Some(session) => session,
            None if uid == 0 => "System",
            None if self.gui.contains(&uid) => "Aqua",
            None => "Background",
        }
    }
}
