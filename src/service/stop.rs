//! How a service is stopped: signals, and what they reach.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Argv;

/// How a service is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopSignal {
    /// A Unix signal.
    Signal(Signal),
    /// Windows: Ctrl-C on its console.
    CtrlC,
    /// Windows: Ctrl-Break.
    CtrlBreak,
    /// Windows: `WM_CLOSE` to its windows.
    Close,
}

/// The Unix signals a manifest may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the signals'")]
pub enum Signal {
    Abrt,
    Alrm,
    Cont,
    Hup,
    Int,
    Kill,
    Quit,
    Term,
    Usr1,
    Usr2,
    Winch,
}

impl Signal {
    /// Every signal, in the order of its name.
    pub const ALL: [Self; 11] = [
        Self::Abrt,
        Self::Alrm,
        Self::Cont,
        Self::Hup,
        Self::Int,
        Self::Kill,
        Self::Quit,
        Self::Term,
        Self::Usr1,
        Self::Usr2,
        Self::Winch,
    ];

    /// Its name without `SIG`: `TERM`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abrt => "ABRT",
            Self::Alrm => "ALRM",
            Self::Cont => "CONT",
            Self::Hup => "HUP",
            Self::Int => "INT",
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
        }
    }
}

/// Who is killed when asking did not help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillScope {
    /// Every process that came of it.
    Tree,
    /// Its process group.
    Group,
    /// The main process only.
    Main,
}

/// How a service is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Run first; the signal follows when the service still runs after it.
    pub command: Option<Argv>,
    /// Then this.
    pub signal: StopSignal,
    /// Then it is killed. More than zero.
    pub timeout: Duration,
    /// Who is killed.
    pub kill: KillScope,
}
