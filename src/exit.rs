//! The exit codes: one documented list, one mapping.
//!
//! Scripts branch on these numbers, so they never change their meaning.

use schemars::JsonSchema;
use serde::Serialize;

/// What a command's exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// 0: done; for `status`: running.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage of the command line.
    Usage,
    /// 3: installed and not running.
    NotRunning,
    /// 4: not installed.
    NotInstalled,
    /// 5: the service failed, is crash-looping or gave up.
    ServiceFailed,
    /// 6: the manifest is invalid, or refused by the backend.
    Manifest,
    /// 7: not permitted; needs root, an administrator or another user.
    NotPermitted,
    /// 8: a deadline passed.
    TimedOut,
    /// 10: `plan --exit-code` has changes.
    Changes,
}

impl Exit {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotRunning,
        Self::NotInstalled,
        Self::ServiceFailed,
        Self::Manifest,
        Self::NotPermitted,
        Self::TimedOut,
        Self::Changes,
    ];

    /// The number a process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::NotInstalled => 4,
            Self::ServiceFailed => 5,
            Self::Manifest => 6,
            Self::NotPermitted => 7,
            Self::TimedOut => 8,
            Self::Changes => 10,
        }
    }

    /// The sentence `--help` and the manual page show.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; for status: running",
            Self::Failed => "failed",
            Self::Usage => "wrong usage",
            Self::NotRunning => "not running",
            Self::NotInstalled => "not installed",
            Self::ServiceFailed => "failed, crash-looping or gave up",
            Self::Manifest => "manifest invalid or refused by the backend",
            Self::NotPermitted => "not permitted",
            Self::TimedOut => "timed out",
            Self::Changes => "plan --exit-code has changes",
        }
    }
}
