//! How a service that ended is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// However it ended.
    Always,
    /// After a failure: a code that is no success code, or a signal.
    OnFailure,
    /// After success only.
    OnSuccess,
    /// Not at all.
    Never,
}

/// What happens when a service ends by itself. A stop that somebody asked for is never followed by a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    /// When at all.
    pub policy: RestartPolicy,
    /// Before the first restart.
    pub delay: Duration,
    /// Each further delay in a row is this many times the last; at least 1.
    pub factor: f64,
    /// No delay is longer.
    pub max_delay: Duration,
    /// Up to this part of the delay is added at random; 0 to 1.
    pub jitter: f64,
    /// More starts than this, and it has given up.
    pub limit: Option<RestartLimit>,
    /// A run this long makes the next delay the first again.
    pub reset_after: Duration,
    /// Exit codes that mean success, beside 0.
    pub success_codes: Vec<i32>,
    /// Exit codes after which it is never started again.
    pub prevent_codes: Vec<i32>,
}

/// At most `count` restarts `within` a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// At least 1.
    pub count: u32,
    /// More than zero.
    pub within: Duration,
}
