//! Where daemonctl keeps its things, by operating system and scope. Pure: paths from data.
//!
//! `--root DIR` puts every one of these below DIR, for images and packages. Paths inside files (an
//! `ExecStart=`, a log file) never carry the root: they are meant for the machine that the image becomes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Whose services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The machine's.
    System,
    /// One user's.
    User,
}

impl Scope {
    /// `system` or `user`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
        }
    }
}

/// The folders of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Whose.
    pub scope: Scope,
    /// Put in front of every path that is touched; never part of a path that is written into a file.
    pub root: Option<PathBuf>,
    /// Receipts, journal, specs, intent, host binaries: `/var/lib/daemonctl`.
    pub state: PathBuf,
    /// Locks, control socket, state files: `/run/daemonctl`. Gone after a reboot.
    pub runtime: PathBuf,
    /// What the host captures: `/var/log/daemonctl`.
    pub logs: PathBuf,
    /// The user's configuration folder (`~/.config`); unit files of user scope lie below it. In system scope
    /// `/etc`.
    pub config: PathBuf,
}

impl Layout {
    /// The system's folders on a Unix other than macOS.
    #[must_use]
    pub fn unix_system() -> Self {
        Self {
            scope: Scope::System,
            root: None,
            state: "/var/lib/daemonctl".into(),
            runtime: "/run/daemonctl".into(),
            logs: "/var/log/daemonctl".into(),
            config: "/etc".into(),
        }
    }

    /// The usual folders on another machine. A user's are named as that machine's shell would see them.
    #[must_use]
    pub fn elsewhere(os: &str, scope: Scope) -> Self {
        let paths = match (os, scope) {
            ("macos", Scope::System) => {
                ["/Library/Application Support/daemonctl", "/var/run/daemonctl", "/Library/Logs/daemonctl", "/Library"]
            }
            ("macos", Scope::User) => [
                "/Users/USER/Library/Application Support/daemonctl",
                "/Users/USER/Library/Caches/daemonctl",
                "/Users/USER/Library/Logs/daemonctl",
                "/Users/USER/Library",
            ],
            ("windows", Scope::System) => [
                r"C:\ProgramData\daemonctl",
                r"C:\ProgramData\daemonctl\run",
                r"C:\ProgramData\daemonctl\logs",
                r"C:\ProgramData",
            ],
            ("windows", Scope::User) => [
                r"C:\Users\USER\AppData\Local\daemonctl",
                r"C:\Users\USER\AppData\Local\daemonctl\run",
                r"C:\Users\USER\AppData\Local\daemonctl\logs",
                r"C:\Users\USER\AppData\Roaming",
            ],
            (_, Scope::System) => return Self::unix_system(),
            (_, Scope::User) => [
                "/home/USER/.local/state/daemonctl",
                "/run/user/UID/daemonctl",
                "/home/USER/.local/state/daemonctl/log",
                "/home/USER/.config",
            ],
        };
        let [state, runtime, logs, config] = paths.map(PathBuf::from);
        Self { scope, root: None, state, runtime, logs, config }
    }

    /// The same folders below `root`.
    #[must_use]
    pub fn under(mut self, root: Option<PathBuf>) -> Self {
        self.root = root;
        self
    }

    /// Where `path` of the target machine is on this one: below the root if there is one.
    #[must_use]
    pub fn on_disk(&self, path: &Path) -> PathBuf {
        match &self.root {
            None => path.to_owned(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }

    /// The folder of receipts, one JSON file a service.
    #[must_use]
    pub fn receipts(&self) -> PathBuf {
        self.state.join("receipts")
    }

    /// The receipt of a service.
    #[must_use]
    pub fn receipt(&self, service: &str) -> PathBuf {
        self.receipts().join(format!("{service}.json"))
    }

    /// What a mutating command that was cut short left behind.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }

    /// The lock of the scope. It lies beside the state, so that `--root` images have one too.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// The folder of specs: resolved services for the host, one JSON file a unit.
    #[must_use]
    pub fn specs(&self) -> PathBuf {
        self.state.join("specs")
    }

    /// The spec of a unit (`web`, `web@blue`).
    #[must_use]
    pub fn spec(&self, unit: &str) -> PathBuf {
        self.specs().join(format!("{unit}.json"))
    }

    /// The folder of 0600 files that hold secrets.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.state.join("secrets")
    }

    /// The folder of the host's own binaries, each named by version and content.
    #[must_use]
    pub fn host_binaries(&self) -> PathBuf {
        self.state.join("bin")
    }

    /// The folder of the journals of events.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.state.join("events")
    }

    /// The folder of a unit's captured output.
    #[must_use]
    pub fn logs_of(&self, unit: &str) -> PathBuf {
        self.logs.join(unit)
    }
}
