//! What is asked of a running service: waiting for what it needs, readiness, health.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Argv;

/// Something that can be asked for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A TCP connection to `host:port` succeeds.
    Tcp(String),
    /// An HTTP request gives one of the statuses (empty: 200 to 399).
    Http {
        /// `http://` or `https://`.
        url: String,
        /// Accepted statuses.
        status: Vec<u16>,
    },
    /// A command exits with 0.
    Exec(Argv),
    /// A file or folder exists.
    File(PathBuf),
}

/// A condition waited for before a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitFor {
    /// What must answer.
    pub probe: Probe,
    /// Then the start fails.
    pub timeout: Duration,
}

/// How it is known that a service is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyWhen {
    /// `sd_notify(READY=1)`.
    Notify,
    /// A probe answers.
    Probe(Probe),
    /// A line of its output contains this text.
    Log(String),
    /// It has lived for so long.
    Delay(Duration),
}

/// When `start` is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The sign.
    pub when: ReadyWhen,
    /// Then the start fails. More than zero.
    pub timeout: Duration,
}

/// How it is known that a service is still well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthCheck {
    /// A probe answers.
    Probe(Probe),
    /// `sd_notify(WATCHDOG=1)` at least every `interval`.
    Heartbeat,
}

/// Liveness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub check: HealthCheck,
    /// Time between two checks.
    pub interval: Duration,
    /// An answer that takes longer is a failure. At most `interval`.
    pub timeout: Duration,
    /// Failures in a row that make it unhealthy; at least 1.
    pub failures: u32,
    /// Successes in a row that make it healthy again; at least 1.
    pub successes: u32,
    /// Failures within this time of its start do not count.
    pub start_period: Duration,
    /// What then happens.
    pub action: HealthAction,
}

/// What an unhealthy service gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthAction {
    /// Stopped and started.
    Restart,
    /// Stopped, and left so.
    Stop,
    /// Only told.
    Event,
}
