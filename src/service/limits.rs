//! What a service may use up, and from when on that is told.

use serde::{Deserialize, Serialize};

/// What a service may use up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processor cores; more than 0.
    pub cpu: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// File descriptors.
    pub open_files: Option<u64>,
    /// How it is scheduled.
    pub priority: Option<Priority>,
}

/// What raises an event when it is exceeded, and another when that is over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Thresholds {
    /// Resident bytes of all its processes.
    pub memory: Option<u64>,
    /// Processor cores, averaged over about ten seconds; more than 0.
    pub cpu: Option<f64>,
    /// Restarts within the last hour.
    pub restarts_per_hour: Option<u32>,
}

impl Thresholds {
    /// Nothing is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.memory.is_none() && self.cpu.is_none() && self.restarts_per_hour.is_none()
    }
}

/// How a service is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Only when nothing else wants to run.
    Idle,
    /// After others.
    Low,
    /// As others.
    Normal,
    /// Before others.
    High,
}
