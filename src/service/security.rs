//! What a service may do, and its secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Argv;

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
    /// A credential: a name that the service manager knows, or a file's path.
    Credential(String),
}
