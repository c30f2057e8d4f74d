//! What the service control manager keeps of a service, as one value: wanted, as it is, and as text.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where services are kept, as the registry names it. An artifact with a path below it is no file, but a service.
pub const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";

/// The whole configuration of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScmConfig {
    /// Its name; at most 256 characters, no slashes. Case is kept and means nothing.
    pub name: String,
    /// What tools show. Unique among all names and display names.
    pub display_name: String,
    /// One line for people.
    pub description: String,
    /// The command line. The program is always quoted.
    pub image_path: String,
    /// When it starts.
    pub start: StartType,
    /// What a failed start does at boot.
    pub error_control: ErrorControl,
    /// The group by which services are ordered at boot.
    pub load_order_group: Option<String>,
    /// Services, and groups with a `+` in front, that must run first.
    pub dependencies: Vec<String>,
    /// The account, as the service control manager takes it: `NT SERVICE\web`, `LocalSystem`, `.\user`.
    pub account: String,
    /// How its own security identifier is put into its token.
    pub sid_type: SidType,
    /// The privileges that it keeps; none: all that its account has.
    pub required_privileges: Vec<String>,
    /// Milliseconds it may take to stop before the machine goes down. None: the system's own.
    pub preshutdown_ms: Option<u32>,
    /// What happens when its process dies.
    pub failure: Failure,
    /// Who may do what with it beside those who may anyway: added to its access list, which is never replaced.
    pub allow: Vec<Grant>,
    /// Its source of the Event Log.
    pub event_source: Option<EventSource>,
}

/// When a service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StartType {
    /// With the machine.
    Automatic,
    /// Some two minutes after that, at low priority.
    AutomaticDelayed,
    /// When told.
    Manual,
    /// Not at all.
    Disabled,
}

impl StartType {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::AutomaticDelayed => "automatic (delayed)",
            Self::Manual => "manual",
            Self::Disabled => "disabled",
        }
    }

    /// Whether the machine starts it.
    #[must_use]
    pub const fn at_boot(self) -> bool {
        matches!(self, Self::Automatic | Self::AutomaticDelayed)
    }
}

/// What a start that fails at boot does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorControl {
    /// Nothing.
    Ignore,
    /// It is logged.
    Normal,
    /// The machine restarts with the last configuration that was good.
    Severe,
    /// That, and it gives up when it fails again.
    Critical,
}

impl ErrorControl {
    /// Each with its word, in the order of their numbers.
    pub const WORDS: [(&'static str, Self); 4] =
        [("ignore", Self::Ignore), ("normal", Self::Normal), ("severe", Self::Severe), ("critical", Self::Critical)];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// How a service's own security identifier is put into its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SidType {
    /// Not at all.
    None,
    /// So that access lists can name `NT SERVICE\NAME`.
    Unrestricted,
    /// And it can write only what names it.
    Restricted,
}

impl SidType {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 3] =
        [("none", Self::None), ("unrestricted", Self::Unrestricted), ("restricted", Self::Restricted)];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// What happens when a service fails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// For the first failure, the second and so on; the last one stands for all that follow.
    pub actions: Vec<FailureAction>,
    /// Seconds without a failure after which the count begins anew. None: never.
    pub reset_s: Option<u32>,
    /// The command line of `command`.
    pub command: String,
    /// Told to users before `reboot`.
    pub reboot_message: String,
    /// An exit code other than 0 is a failure too, not only a process that died.
    pub on_exit: bool,
}

/// What one failure brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureAction {
    /// What.
    pub kind: FailureKind,
    /// So many milliseconds later.
    pub delay_ms: u32,
}

/// What a failure brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Nothing.
    None,
    /// It is started again.
    Restart,
    /// The machine is started again.
    Reboot,
    /// The command runs.
    Command,
}

impl FailureKind {
    /// Each with its word, in the order of their numbers.
    pub const WORDS: [(&'static str, Self); 4] =
        [("none", Self::None), ("restart", Self::Restart), ("reboot", Self::Reboot), ("command", Self::Command)];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// Who may do what with a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// An account, a group or a security identifier (`S-1-...`).
    pub who: String,
    /// What.
    pub rights: Vec<ServiceRight>,
}

/// What may be done with a service. What would let one become another account (changing its configuration, its owner
/// or its access list, deleting it) cannot be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceRight {
    /// See what it is doing.
    Status,
    /// See its configuration.
    Query,
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Pause it, go on with it, and have it read its configuration again.
    Pause,
    /// Ask it for its state.
    Interrogate,
}

impl ServiceRight {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("status", Self::Status),
        ("query", Self::Query),
        ("start", Self::Start),
        ("stop", Self::Stop),
        ("pause", Self::Pause),
        ("interrogate", Self::Interrogate),
    ];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::WORDS[self as usize].0
    }

    /// Its bit among a service's access rights.
    #[must_use]
    pub const fn bit(self) -> u32 {
        match self {
            Self::Query => 0x1,
            Self::Status => 0x4,
            Self::Start => 0x10,
            Self::Stop => 0x20,
            Self::Pause => 0x40,
            Self::Interrogate => 0x80,
        }
    }
}

/// A source of the Event Log, in the Application log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventSource {
    /// Its name.
    pub name: String,
    /// The file that the texts of its events are in.
    pub message_file: String,
}

impl ScmConfig {
    /// Where its artifact is said to be.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        path_of(&self.name)
    }

    /// Whether a service that runs with `old` must be started again for this to count. The rest counts at once, or at
    /// the next start that comes anyway.
    #[must_use]
    pub fn restarts_from(&self, old: &Self) -> bool {
        self.image_path != old.image_path
            || !self.account.eq_ignore_ascii_case(&old.account)
            || self.sid_type != old.sid_type
            || self.required_privileges != old.required_privileges
    }

    /// The fields in which two differ: name, this, the other.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let pairs = self.lines().into_iter().zip(other.lines());
        pairs
            .filter(|(ours, theirs)| ours.1 != theirs.1)
            .map(|((name, ours), (_, theirs))| (name, ours, theirs))
            .collect()
    }

    /// Each field as a line.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let list = |items: &[String]| if items.is_empty() { "(none)".to_owned() } else { items.join(", ") };
        let text = |text: &str| if text.is_empty() { "(none)".to_owned() } else { text.to_owned() };
        let failure = &self.failure;
        let actions: Vec<String> = failure
            .actions
            .iter()
            .map(|action| match action.kind {
                FailureKind::None => "none".to_owned(),
                kind => format!("{} after {}", kind.name(), show(action.delay_ms)),
            })
            .collect();
        let grants: Vec<String> = self
            .allow
            .iter()
            .map(|grant| {
                let rights: Vec<_> = grant.rights.iter().map(|right| right.name()).collect();
                format!("{}: {}", grant.who, rights.join(" "))
            })
            .collect();
        let source = self.event_source.as_ref().map(|source| format!("{} ({})", source.name, source.message_file));
        vec![
            ("Name", self.name.clone()),
            ("Display name", self.display_name.clone()),
            ("Description", text(&self.description)),
            ("Image path", self.image_path.clone()),
            ("Start", self.start.name().to_owned()),
            ("Error control", self.error_control.name().to_owned()),
            ("Load order group", text(self.load_order_group.as_deref().unwrap_or_default())),
            ("Depends on", list(&self.dependencies)),
            ("Account", self.account.clone()),
            ("SID type", self.sid_type.name().to_owned()),
            (
                "Privileges",
                if self.required_privileges.is_empty() {
                    "(the account's)".to_owned()
                } else {
                    self.required_privileges.join(", ")
                },
            ),
            ("Preshutdown", self.preshutdown_ms.map_or_else(|| "(the system's)".to_owned(), show)),
            ("On failure", list(&actions)),
            ("Failure reset", failure.reset_s.map_or_else(|| "never".to_owned(), |s| show(s.saturating_mul(1000)))),
            ("Failure command", text(&failure.command)),
            ("Reboot message", text(&failure.reboot_message)),
            (
                "Failure means",
                if failure.on_exit { "an exit code other than 0, or a crash" } else { "a crash" }.to_owned(),
            ),
            ("Also allowed", list(&grants)),
            ("Event source", source.unwrap_or_else(|| "(none)".to_owned())),
        ]
    }
}

impl fmt::Display for ScmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.lines() {
            writeln!(f, "{name:<17} {value}")?;
        }
        Ok(())
    }
}

fn show(ms: u32) -> String {
    let time = Duration::from_millis(ms.into());
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", crate::manifest::show_duration(time));
    text
}

/// Where the artifact of a service is said to be.
#[must_use]
pub fn path_of(name: &str) -> PathBuf {
    PathBuf::from(format!(r"{SERVICES}\{name}"))
}

/// The service whose artifact is said to be there; None: the path is a file's.
#[must_use]
pub fn service_at(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(SERVICES)?.strip_prefix('\\')
}
