//! The one seam to Windows: what daemonctl asks of the service control manager and its surroundings, call by call, with
//! Windows' own numbers. `windows_sys` answers on Windows, `fake` in tests; everything above is the same code.

use std::path::Path;
use std::time::Duration;

use super::codes::Code;
use crate::backend::windows::config::EventSource;
use crate::system::password::Password;

#[cfg(windows)]
mod accounts;
#[cfg(test)]
pub(super) mod fake;
#[cfg(windows)]
pub(super) mod real;
#[cfg(windows)]
mod registry;

/// Windows' answer.
pub(super) type Win<T> = Result<T, Code>;

/// An open service; see [`Held`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Raw(pub(super) usize);

/// Access rights to a service.
pub(super) mod access {
    pub(crate) const QUERY_CONFIG: u32 = 0x1;
    pub(crate) const CHANGE_CONFIG: u32 = 0x2;
    pub(crate) const QUERY_STATUS: u32 = 0x4;
    pub(crate) const ENUMERATE_DEPENDENTS: u32 = 0x8;
    pub(crate) const START: u32 = 0x10;
    pub(crate) const STOP: u32 = 0x20;
    pub(crate) const PAUSE_CONTINUE: u32 = 0x40;
    pub(crate) const DELETE: u32 = 0x1_0000;
    pub(crate) const READ_CONTROL: u32 = 0x2_0000;
    pub(crate) const WRITE_DAC: u32 = 0x4_0000;
}

/// States of a service.
pub(super) mod state {
    pub(crate) const STOPPED: u32 = 1;
    pub(crate) const START_PENDING: u32 = 2;
    pub(crate) const STOP_PENDING: u32 = 3;
    pub(crate) const RUNNING: u32 = 4;
    pub(crate) const CONTINUE_PENDING: u32 = 5;
    pub(crate) const PAUSE_PENDING: u32 = 6;
    pub(crate) const PAUSED: u32 = 7;

    /// As Windows' own tools write it.
    pub(crate) const fn name(state: u32) -> &'static str {
        match state {
            STOPPED => "STOPPED",
            START_PENDING => "START_PENDING",
            STOP_PENDING => "STOP_PENDING",
            RUNNING => "RUNNING",
            CONTINUE_PENDING => "CONTINUE_PENDING",
            PAUSE_PENDING => "PAUSE_PENDING",
            PAUSED => "PAUSED",
            _ => "UNKNOWN",
        }
    }
}

/// Controls.
pub(super) mod control {
    pub(crate) const STOP: u32 = 1;
    pub(crate) const PARAMCHANGE: u32 = 6;
}

/// A process of its own: the only type of service that daemonctl makes.
pub(super) const OWN_PROCESS: u32 = 0x10;

/// Start types.
pub(super) mod start {
    pub(crate) const AUTO: u32 = 2;
    pub(crate) const DEMAND: u32 = 3;
    pub(crate) const DISABLED: u32 = 4;
}

/// What every service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basic {
    pub(super) service_type: u32,
    pub(super) start: u32,
    pub(super) error_control: u32,
    pub(super) image_path: String,
    pub(super) load_order_group: String,
    pub(super) dependencies: Vec<String>,
    pub(super) account: String,
    pub(super) display_name: String,
}

/// What of it shall change; None: as it is.
#[derive(Debug, Default)]
pub(super) struct Change<'a> {
    pub(super) start: Option<u32>,
    pub(super) error_control: Option<u32>,
    pub(super) image_path: Option<&'a str>,
    pub(super) load_order_group: Option<&'a str>,
    pub(super) dependencies: Option<&'a [String]>,
    pub(super) account: Option<&'a str>,
    pub(super) password: Option<&'a Password>,
    pub(super) display_name: Option<&'a str>,
}

/// A setting of `ChangeServiceConfig2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level {
    Description(String),
    Delayed(bool),
    /// Seconds; actions by kind and milliseconds; command; message.
    Failure {
        reset: u32,
        actions: Vec<(u32, u32)>,
        command: String,
        reboot_message: String,
    },
    FailureOnExit(bool),
    SidType(u32),
    Privileges(Vec<String>),
    /// Milliseconds.
    Preshutdown(u32),
}

/// Which setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub(super) enum Kind {
    Description = 1,
    Failure = 2,
    Delayed = 3,
    FailureOnExit = 4,
    SidType = 5,
    Privileges = 6,
    Preshutdown = 7,
}

impl Level {
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Description(_) => Kind::Description,
            Self::Delayed(_) => Kind::Delayed,
            Self::Failure { .. } => Kind::Failure,
            Self::FailureOnExit(_) => Kind::FailureOnExit,
            Self::SidType(_) => Kind::SidType,
            Self::Privileges(_) => Kind::Privileges,
            Self::Preshutdown(_) => Kind::Preshutdown,
        }
    }
}

impl Kind {
    /// For warnings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Description => "descriptions",
            Self::Delayed => "delayed starts",
            Self::Failure => "failure actions",
            Self::FailureOnExit => "failure actions after an exit code",
            Self::SidType => "security identifiers of services",
            Self::Privileges => "required privileges",
            Self::Preshutdown => "preshutdown times",
        }
    }
}

/// What a service is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) state: u32,
    pub(super) accepts: u32,
    /// Win32.
    pub(super) exit: u32,
    /// Where `exit` is 1066.
    pub(super) specific: u32,
    pub(super) checkpoint: u32,
    /// Milliseconds.
    pub(super) hint: u32,
    pub(super) pid: u32,
}

/// A source of the Event Log as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registered {
    pub(super) source: EventSource,
    /// The service that daemonctl registered it for; None: somebody else did.
    pub(super) owner: Option<String>,
}

/// Windows.
pub(super) trait ScmApi {
    fn create(&self, name: &str, basic: &Basic, password: Option<&Password>) -> Win<Raw>;
    fn open(&self, name: &str, access: u32) -> Win<Raw>;
    fn close(&self, service: Raw);
    fn basic(&self, service: Raw) -> Win<Basic>;
    /// What the registry says a service depends on: Wine keeps it there and does not tell. None: not to be seen.
    fn dependencies_in_registry(&self, name: &str) -> Option<Vec<String>> {
        let _ = name;
        None
    }
    fn change(&self, service: Raw, change: &Change<'_>) -> Win<()>;
    fn level(&self, service: Raw, kind: Kind) -> Win<Level>;
    fn set_level(&self, service: Raw, level: &Level) -> Win<()>;
    fn seen(&self, service: Raw) -> Win<Seen>;
    fn start(&self, service: Raw) -> Win<()>;
    fn control(&self, service: Raw, control: u32) -> Win<()>;
    fn delete(&self, service: Raw) -> Win<()>;
    /// The names of running services that need it.
    fn dependents(&self, service: Raw) -> Win<Vec<String>>;
    /// Every service: name and display name.
    fn names(&self) -> Win<Vec<(String, String)>>;

    /// A service's access list in SDDL, without owner and audit.
    fn security(&self, service: Raw) -> Win<String>;
    fn set_security(&self, service: Raw, sddl: &str) -> Win<()>;

    fn source(&self, name: &str) -> Win<Option<Registered>>;
    fn register_source(&self, source: &EventSource, owner: &str) -> Win<()>;
    fn remove_source(&self, name: &str) -> Win<()>;

    /// This machine's name, for accounts of its own.
    fn machine(&self) -> String;
    /// The security identifier of an account; None: there is none.
    fn sid(&self, account: &str) -> Win<Option<String>>;
    /// That of who asks.
    fn own_sid(&self) -> Win<String>;
    fn may_log_on(&self, sid: &str) -> Win<bool>;
    fn let_log_on(&self, sid: &str, may: bool) -> Win<()>;

    /// Waits until a process has ended; false: it has not, in that time.
    fn process_ended(&self, pid: u32, within: Duration) -> bool;
    /// The names of the programs that run.
    fn programs(&self) -> Vec<String>;

    /// Owner and access list of a file or folder in SDDL; None: nothing is there.
    fn file_security(&self, path: &Path) -> Win<Option<String>>;
    /// Owner and access list of a service's key in the registry in SDDL; None: there is none.
    fn key_security(&self, service: &str) -> Win<Option<String>>;
    /// Lets an account read (or change) a file, or a folder with all that comes into it.
    fn let_at_file(&self, path: &Path, sid: &str, change: bool) -> Win<()>;

    /// A clock that only goes forward.
    fn clock(&self) -> Duration;
    fn pause(&self, time: Duration);
}

/// An open service, closed when it goes.
pub(super) struct Held<'a> {
    pub(super) api: &'a dyn ScmApi,
    pub(super) raw: Raw,
}

impl<'a> Held<'a> {
    pub(super) fn open(api: &'a dyn ScmApi, name: &str, access: u32) -> Win<Self> {
        api.open(name, access).map(|raw| Self { api, raw })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.api.close(self.raw);
    }
}
