//! Events: what `daemonctl events --json` prints, what the journal keeps, and what hooks are given. Pure.

use std::ops::ControlFlow;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::{Sent, State};

/// A reason is cut to so many characters, so that an event is never long.
const LONGEST_REASON: usize = 500;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is on its way up.
    Starting,
    /// It is up, and ready where the manifest says what ready means.
    Ready,
    /// Its main process ended.
    Exited,
    /// It is started again after a delay.
    Backoff,
    /// It ended too often; nobody starts it again but a person.
    GaveUp,
    /// It ended with a failure, and stays down.
    Failed,
    /// A oneshot or task ran to its end with success.
    Completed,
    /// A task that waits for its schedule.
    Armed,
    /// A run of a task was due while the one before went on, and was passed over.
    Skipped,
    /// It was asked to end.
    Stopping,
    /// A `pre_stop` hook called the stop off.
    StopRefused,
    /// Nothing is left of it.
    Stopped,
    /// Its health check failed too often.
    Unhealthy,
    /// Its health check succeeds again.
    Healthy,
    /// Its reload action was carried out.
    Reloaded,
    /// Its reload action was not carried out: its check or the action itself failed.
    ReloadRefused,
    /// A new supervisor took it over while it ran.
    Adopted,
    /// Its output cannot be written.
    LogTrouble,
    /// Its output is written again.
    LogRecovered,
    /// It uses more than a threshold of the manifest, or restarts more often.
    OverThreshold,
    /// It no longer does.
    UnderThreshold,
    /// One of its event hooks failed; that itself is told to no hook.
    HookFailed,
}

impl What {
    /// The word that is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Exited => "exited",
            Self::Backoff => "backoff",
            Self::GaveUp => "gave-up",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::Armed => "armed",
            Self::Skipped => "skipped",
            Self::Stopping => "stopping",
            Self::StopRefused => "stop-refused",
            Self::Stopped => "stopped",
            Self::Unhealthy => "unhealthy",
            Self::Healthy => "healthy",
            Self::Reloaded => "reloaded",
            Self::ReloadRefused => "reload-refused",
            Self::Adopted => "adopted",
            Self::LogTrouble => "log-trouble",
            Self::LogRecovered => "log-recovered",
            Self::OverThreshold => "over-threshold",
            Self::UnderThreshold => "under-threshold",
            Self::HookFailed => "hook-failed",
        }
    }
}

/// What a threshold is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Resident bytes.
    Memory,
    /// Processor cores, averaged over about ten seconds.
    Cpu,
    /// Restarts within the last hour.
    Restarts,
}

impl Measure {
    /// The word that is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Restarts => "restarts",
        }
    }
}

/// A value and its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Of what, and so in which unit.
    pub measure: Measure,
    /// What it is.
    pub value: f64,
    /// What it was not to exceed.
    pub threshold: f64,
}

/// One thing that happened to one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When, in UTC.
    #[schemars(with = "String")]
    pub time: Timestamp,
    /// To which unit.
    pub unit: String,
    /// What happened.
    pub event: What,
    /// The unit's state after it.
    pub state: State,
    /// The main process that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// With `exited`: the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// With `exited`: the signal that ended it, without `SIG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// With `backoff`: seconds until the next start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<f64>,
    /// Restarts since a person started it last, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u64>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With the event after an end: how it was stopped, rung by rung, where it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<Sent>,
    /// With `over-threshold` and `under-threshold`: what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// For hooks: the machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// For hooks: so many events before this one did not reach the hook, which was too slow for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
}

impl Event {
    /// An event without details.
    #[must_use]
    pub fn new(time: Timestamp, unit: &str, event: What, state: State) -> Self {
        Self {
            // What is shown, kept and compared is milliseconds.
            time: time.round(jiff::Unit::Millisecond).unwrap_or(time),
            unit: unit.to_owned(),
            event,
            state,
            pid: None,
            code: None,
            signal: None,
            delay: None,
            restarts: None,
            reason: None,
            stop: Vec::new(),
            measured: None,
            host: None,
            missed: None,
        }
    }

    /// With a reason, cut where it is too long.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if let Some((end, _)) = reason.char_indices().nth(LONGEST_REASON) {
            reason.truncate(end);
            reason.push('…');
        }
        self.reason = Some(reason).filter(|reason| !reason.is_empty());
        self
    }

    /// One line of JSON, with its newline.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        // Plain data, which always serializes.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The last so many; None: all.
    pub last: Option<usize>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Not after this time.
    pub until: Option<Timestamp>,
    /// Go on with what happens from now on.
    pub follow: bool,
}

impl Query {
    /// Whether the event lies in the time that is asked for.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.time >= since) && self.until.is_none_or(|until| event.time <= until)
    }
}

/// Takes events.
pub trait Sink {
    /// Takes one; `Break` ends the query.
    fn event(&mut self, event: Event) -> ControlFlow<()>;
    /// Called where more is waited for, so that what was buffered is shown; `Break` ends the query.
    fn idle(&mut self) -> ControlFlow<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_flat_and_holds_only_what_there_is() {
        let at: Timestamp = "2026-03-10T12:00:00.123Z".parse().unwrap();
        let mut event = Event::new(at, "web", What::Exited, State::Stopping).because("exited with code 3");
        event.code = Some(3);
        let line = String::from_utf8(event.line()).unwrap();
        assert_eq!(
            line,
            "{\"time\":\"2026-03-10T12:00:00.123Z\",\"unit\":\"web\",\"event\":\"exited\",\"state\":\"stopping\",\
             \"code\":3,\"reason\":\"exited with code 3\"}\n"
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let event = Event::new(Timestamp::UNIX_EPOCH, "web", What::Failed, State::Failed).because("ä".repeat(3000));
        assert_eq!(event.reason.unwrap().chars().count(), LONGEST_REASON + 1);
    }

    #[test]
    fn words_are_those_of_the_json() {
        for what in [What::GaveUp, What::LogTrouble, What::ReloadRefused, What::Ready] {
            assert_eq!(serde_json::to_value(what).unwrap(), what.name());
        }
    }
}
