//! How a service takes over a changed configuration, and what is watched for that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Argv, Signal};

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
