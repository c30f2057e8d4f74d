//! Backends: one service manager's file formats and calls each.
//!
//! A [`Backend`] is pure: it answers for keys and renders artifacts, on every operating system. What talks to the
//! real thing is its [`Manager`], which `connect` opens.
//!
//! To add a backend: a folder or file here, its templates, and a line in [`ALL`].

mod answer;
mod artifact;
pub mod embedded;
pub mod launchd;
mod manager;
pub mod offline;
#[cfg(test)]
mod sample;
mod signing;
pub mod systemd;
mod target;
pub mod windows;

use serde::{Deserialize, Serialize};

pub use answer::Answer;
pub use artifact::{Artifact, Body, SecretFormat};
pub use manager::{Deadline, Detail, Manager, Progress, Silent, UnitResult, UnitState, without_reload};
pub use target::{BackendKind, Target};

use crate::error::Result;
use crate::key::Key;
use crate::layout::Scope;
use crate::service::Service;

/// How one service is run on a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hosting {
    /// The manager runs the program itself.
    Native,
    /// The manager runs daemonctl's host, and that runs the program.
    Hosted,
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
    fn opens_in(&self, _unit: &Service, _hosting: Hosting, _target: &Target) -> Vec<std::path::PathBuf> {
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

    /// Calls the manager, so that it has answered by the time that `connect` waits for it.
    fn call_ahead(&self, _scope: Scope) {}

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
