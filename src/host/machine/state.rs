//! Where a service is: the legal pairs stand at the head of [`machine`](super).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report;

/// Time since the machine's boot.
pub type Moment = Duration;

/// What is wanted. Kept on disk; nothing but a person changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Wanted {
    Up,
    Down,
}

/// What is. The table at the head of the folder explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the table at the head of the folder explains each")]
pub enum Current {
    Stopped,
    Completed,
    Failed,
    GaveUp,
    Armed,
    Held,
    Waiting,
    PreStart,
    Spawning,
    Unready,
    PostStart,
    Running,
    PreStop,
    Asking,
    Ending,
    Killing,
    Clearing,
    PostStop,
    Backoff,
}

impl Current {
    /// The word for it that every backend uses.
    #[must_use]
    pub const fn word(self) -> report::State {
        match self {
            Self::Stopped => report::State::Stopped,
            Self::Completed => report::State::Completed,
            Self::Failed => report::State::Failed,
            Self::GaveUp => report::State::GaveUp,
            Self::Armed => report::State::Running,
            Self::Held | Self::Waiting | Self::PreStart | Self::Spawning | Self::Unready | Self::PostStart => {
                report::State::Starting
            }
            Self::Running => report::State::Running,
            Self::PreStop | Self::Asking | Self::Ending | Self::Killing | Self::Clearing | Self::PostStop => {
                report::State::Stopping
            }
            Self::Backoff => report::State::Backoff,
        }
    }

    /// Nothing happens any more by itself.
    #[must_use]
    pub const fn at_rest(self) -> bool {
        matches!(self, Self::Stopped | Self::Completed | Self::Failed | Self::GaveUp)
    }

    /// The main process lives.
    #[must_use]
    pub const fn has_main(self) -> bool {
        matches!(
            self,
            Self::Unready
                | Self::PostStart
                | Self::Running
                | Self::PreStop
                | Self::Asking
                | Self::Ending
                | Self::Killing
        )
    }

    /// On the way down.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::PreStop | Self::Asking | Self::Ending | Self::Killing | Self::Clearing | Self::PostStop)
    }
}

/// What follows when a service that is wanted up has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// What the restart policy says.
    Policy,
    /// A start at once: somebody asked for it.
    Start,
    /// A start after the policy's delay, whatever the policy: it was unhealthy.
    Retry,
    /// Nothing: it was unhealthy, and is to stay down.
    Rest,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody could see how: it was another supervisor's child.
    Unseen,
    /// It never ran; the text says why.
    Never(String),
}

impl Ended {
    /// The exit code that the lists of codes mean; a signal counts as 128 and its number, as in a shell.
    pub(in crate::host) const fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(signal) => Some(128 + *signal),
            Self::Unseen | Self::Never(_) => None,
        }
    }

    pub(super) fn succeeded(&self, success_codes: &[i32]) -> bool {
        matches!(self, Self::Code(0)) || self.code().is_some_and(|code| success_codes.contains(&code))
    }
}

/// The state of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What is wanted.
    pub wanted: Wanted,
    /// What is.
    pub current: Current,
    /// What follows an end, if wanted up.
    pub after: After,
    /// When it came into this state.
    pub since: Moment,
    /// When [`Event::Deadline`](super::Event::Deadline) is due.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub deadline: Option<Moment>,
    /// When the main process was started; None: there is none.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub started: Option<Moment>,
    /// Delays in a row.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub attempts: u32,
    /// Restarts that the limit counts.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub recent: Vec<Moment>,
    /// Restarts since the last start by a person.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub restarts: u64,
    /// How the last run ended.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub last: Option<Ended>,
    /// Why it was made to end, where it did not by itself.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub blame: Option<String>,
    /// Why it is `Failed` or `GaveUp`.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub reason: Option<String>,
    /// A stop that no hook can call off.
    #[serde(default, skip_serializing_if = "crate::host::state::is_default")]
    pub forced: bool,
}

impl State {
    /// A service that was never started.
    #[must_use]
    pub const fn new(wanted: Wanted, at: Moment) -> Self {
        Self {
            wanted,
            current: Current::Stopped,
            after: After::Policy,
            since: at,
            deadline: None,
            started: None,
            attempts: 0,
            recent: Vec::new(),
            restarts: 0,
            last: None,
            blame: None,
            reason: None,
            forced: false,
        }
    }

    /// The word for it that every backend uses.
    #[must_use]
    pub const fn word(&self) -> report::State {
        match self.current {
            // As a timer of systemd: up while it waits, and failed while its last run was.
            Current::Armed if self.reason.is_some() => report::State::Failed,
            current => current.word(),
        }
    }
}
