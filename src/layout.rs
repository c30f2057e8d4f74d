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
    /// The copies of daemonctl that services run: beside the state, or where programs belong that only administrators may
    /// change.
    pub binaries: PathBuf,
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
            binaries: "/var/lib/daemonctl/bin".into(),
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
        let binaries = match (os, scope) {
            ("windows", Scope::System) => r"C:\Program Files\daemonctl".into(),
            _ => below(&state, "bin"),
        };
        Self { scope, root: None, state, runtime, logs, config, binaries }
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
            Some(root) => root.join(without_root(path)),
        }
    }

    /// The folder of receipts, one JSON file a service.
    #[must_use]
    pub fn receipts(&self) -> PathBuf {
        below(&self.state, "receipts")
    }

    /// The receipt of a service.
    #[must_use]
    pub fn receipt(&self, service: &str) -> PathBuf {
        below(&self.receipts(), &format!("{service}.json"))
    }

    /// What a mutating command that was cut short left behind.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        below(&self.state, "journal.jsonl")
    }

    /// The lock of the scope. It lies beside the state, so that `--root` images have one too.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        below(&self.state, "lock")
    }

    /// The folder of the embedded backend's markers: a file for each unit that starts with the supervisor.
    #[must_use]
    pub fn enabled(&self) -> PathBuf {
        below(&self.state, "enabled")
    }

    /// The folder of specs: resolved services for the host, one JSON file a unit.
    #[must_use]
    pub fn specs(&self) -> PathBuf {
        below(&self.state, "specs")
    }

    /// The spec of a unit (`web`, `web@blue`).
    #[must_use]
    pub fn spec(&self, unit: &str) -> PathBuf {
        below(&self.specs(), &format!("{unit}.json"))
    }

    /// The folder of 0600 files that hold secrets.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        below(&self.state, "secrets")
    }

    /// The folder of the host's own binaries, each named by version and content.
    #[must_use]
    pub fn host_binaries(&self) -> PathBuf {
        self.binaries.clone()
    }

    /// The folder of the journals of events.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        below(&self.state, "events")
    }

    /// The folder of a unit's captured output.
    #[must_use]
    pub fn logs_of(&self, unit: &str) -> PathBuf {
        below(&self.logs, unit)
    }
}

/// `name` in a folder of the target machine, which need not be of this machine's sort.
#[must_use]
pub fn below(folder: &Path, name: &str) -> PathBuf {
    match folder.to_str() {
        Some(text) if cfg!(not(windows)) && is_windows(text) => PathBuf::from(format!("{text}\\{name}")),
        _ => folder.join(name),
    }
}

/// A path below another folder: a drive or a share is a folder there.
#[must_use]
pub fn without_root(path: &Path) -> PathBuf {
    match path.to_str() {
        Some(text) if is_windows(text) => {
            text.replacen(':', "", 1).split('\\').filter(|part| !part.is_empty()).collect()
        }
        _ => path.strip_prefix("/").unwrap_or(path).to_owned(),
    }
}

/// Whether a path is one of Windows: it begins with a drive or a share.
#[must_use]
pub fn is_windows(path: &str) -> bool {
    let drive = matches!(path.as_bytes(), [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic());
    drive || path.starts_with(r"\\")
}
