//! What a manifest is rendered for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::layout::{Layout, Scope, below};

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
