//! When a task runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The rule.
    pub when: ScheduleWhen,
    /// Up to this much later, at random.
    pub jitter: Duration,
    /// A run missed while the machine was off is made up for.
    pub persistent: bool,
}

/// The rule of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleWhen {
    /// So long after the last start.
    Every(Duration),
    /// At these times of the wall clock, local time.
    Calendar(Calendar),
}

/// Times of the wall clock. Each list that is empty means every value; the day of the week and the day of the
/// month must both fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Calendar {
    /// 1 (Monday) to 7 (Sunday).
    pub weekdays: Vec<u8>,
    /// 1 to 12.
    pub months: Vec<u8>,
    /// 1 to 31.
    pub days: Vec<u8>,
    /// 0 to 23.
    pub hours: Vec<u8>,
    /// 0 to 59.
    pub minutes: Vec<u8>,
}
