//! A state of the machine that is wanted: which files, which units, up or down.
//!
//! Install, uninstall and rollback are one thing: each names a goal, [`crate::plan::converge`] compares it with
//! what is there, and the steps between the two are the plan. Install's goal comes from the manifest,
//! uninstall's from the receipts, and a rollback's is the [`Goal`] that was recorded before the first step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::backend::UnitState;
use crate::receipt::Kept;
use crate::service::Service;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Goal {
    /// Files, by their path on the target machine; None: nothing is there.
    pub files: BTreeMap<PathBuf, FileGoal>,
    /// Units, in dependency order.
    pub units: Vec<UnitGoal>,
    /// Folders that must exist (made with this mode), outermost first.
    pub folders: Vec<(PathBuf, u32)>,
    /// Folders to be removed once they are empty, innermost first.
    pub emptied: Vec<PathBuf>,
    /// Whether the user's services shall outlive the login; None: as it is.
    pub linger: Option<bool>,
}

/// What is wanted of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileGoal {
    /// Its content; None: nothing is there.
    pub body: Option<Kept>,
    /// The unit whose restart makes a change of it effective.
    pub unit: Option<String>,
    /// A change of it is a change of the manager's definitions.
    pub definition: bool,
}

/// What is wanted of a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitGoal {
    /// The unit, complete.
    pub service: Service,
    /// The manager shall know it.
    pub present: bool,
    /// It shall be up or down.
    pub run: Run,
    /// Starts at boot, where the backend keeps that outside of files; None: as it is.
    pub enabled: Option<bool>,
    /// When it is up already, it is restarted if this says so.
    pub restart: RestartIf,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Run {
    /// Up and ready.
    Up,
    /// Down.
    Down,
    /// As it is; a running one whose files change is restarted.
    AsIs,
}

/// When a running unit is restarted on the way to a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartIf {
    /// One of its files changes.
    FilesChange,
    /// Its main process is another than this: a rollback leaves alone what still runs the old definition.
    PidIsNot(Option<u32>),
}

/// What is there.
#[derive(Debug, Clone, Default)]
pub struct Now {
    /// Each file of the goal that is there (None where nothing is).
    pub files: BTreeMap<PathBuf, Option<Kept>>,
    /// Each unit of the goal, by its id.
    pub units: BTreeMap<String, UnitState>,
    /// Lingering now.
    pub linger: Option<bool>,
}
