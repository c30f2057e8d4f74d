//! The state file as a table of all units shows it: read once, and nothing of it kept that no row shows. A supervisor of a
//! thousand units is asked for it by a process that lives for two milliseconds.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::machine::{Current, Ended, Moment};
use super::schedule::Runs;
use super::state::{VERSION, last_exit, wall};
use super::sys::Identity;
use crate::layout::Scope;
use crate::report::{State, Status};

/// A [`StateFile`](super::state::StateFile), of which the same fields have the same meaning.
#[derive(Debug, Deserialize)]
pub struct Glance<'a> {
    version: u32,
    /// Which boot its times count from.
    #[serde(borrow)]
    pub boot: Cow<'a, str>,
    /// The supervisor's process.
    pub supervisor: Identity,
    /// See there.
    #[serde(default)]
    pub installed: Option<SystemTime>,
    /// See there.
    #[serde(default)]
    pub enabled: Option<SystemTime>,
    /// Its units, by name.
    #[serde(borrow)]
    pub units: Rows<'a>,
}

/// Units with their names, in the order in which they stand there.
#[derive(Debug)]
pub struct Rows<'a>(pub Vec<(Cow<'a, str>, Row<'a>)>);

/// What a row shows of a [`Record`](super::state::Record).
#[derive(Debug, Deserialize)]
pub struct Row<'a> {
    #[serde(borrow)]
    machine: Machine<'a>,
    #[serde(default)]
    has_ready: bool,
    #[serde(default)]
    main: Option<Identity>,
    #[serde(default)]
    healthy: Option<bool>,
    #[serde(default)]
    runs: Option<Box<Runs>>,
    #[serde(default)]
    ended_at: Option<Timestamp>,
    /// It starts with the supervisor; counts where [`Glance::enabled`] does.
    #[serde(default)]
    pub enabled: bool,
}

#[derive(Debug, Deserialize)]
struct Machine<'a> {
    current: Current,
    #[serde(default)]
    deadline: Option<Moment>,
    #[serde(default)]
    started: Option<Moment>,
    #[serde(default)]
    restarts: u64,
    #[serde(default)]
    last: Option<Ended>,
    #[serde(default, borrow)]
    blame: Option<Cow<'a, str>>,
    #[serde(default)]
    reason: Option<IgnoredAny>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Rows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Rows<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("units by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rows<'de>, A::Error> {
                let mut rows = Vec::with_capacity(map.size_hint().unwrap_or(1024));
                while let Some(row) = map.next_entry::<Name<'de>, Row<'de>>()? {
                    rows.push((row.0.0, row.1));
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads it. None: there is none, or none that this program understands; [`state::read`](super::state::read) tells why.
#[must_use]
pub fn parse(text: &[u8]) -> Option<Glance<'_>> {
    serde_json::from_slice(text).ok().filter(|glance: &Glance<'_>| glance.version == VERSION)
}

/// The text of it.
#[must_use]
pub fn text(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

impl Row<'_> {
    /// What is shown of it while its supervisor lives.
    #[must_use]
    pub fn describe(&self, name: &str, scope: Scope, now: Moment, wall_now: Timestamp) -> Status {
        let machine = &self.machine;
        let stamp = |moment| super::logs::format::stamp(wall(moment, now, wall_now));
        let alive = machine.current.has_main();
        let mut status = Status::not_installed(name, "embedded", scope);
        status.state = match machine.current {
            // See `machine::State::word`.
            Current::Armed if machine.reason.is_some() => State::Failed,
            // A task that runs is up, as one that waits for its next run.
            current if current.word() == State::Starting && self.runs.is_some() && alive => State::Running,
            current => current.word(),
        };
        status.pid = self.main.filter(|_| alive).and_then(|main| u32::try_from(main.pid).ok());
        status.uptime = machine.started.filter(|_| alive).map(|started| now.saturating_sub(started).as_secs_f64());
        status.restarts = Some(machine.restarts);
        status.next_retry = machine.deadline.filter(|_| machine.current == Current::Backoff).map(stamp);
        status.last_exit = machine.last.as_ref().map(|last| last_exit(last, machine.blame.as_deref(), self.ended_at));
        status.healthy = self.healthy;
        status.hosted = true;
        status.next_run = self.runs.as_ref().and_then(|runs| runs.next).map(super::logs::format::stamp);
        status.ready = self.has_ready.then(|| status.state == State::Running);
        status
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::host::machine::{self, Wanted};
    use crate::host::state::{Record, StateFile};

    #[test]
    fn a_row_says_what_the_whole_record_says() {
        let mut machine = machine::State::new(Wanted::Up, Duration::from_secs(5));
        (machine.current, machine.restarts) = (Current::Backoff, 3);
        machine.deadline = Some(Duration::from_secs(20));
        (machine.last, machine.blame) = (Some(Ended::Never("a \"quoted\" cause".into())), Some("it was\nlate".into()));
        let record: Record = serde_json::from_value(serde_json::json!({
            "machine": machine, "invocation": "x", "has_ready": true, "healthy": false, "enabled": true,
        }))
        .expect("a record");
        let file = StateFile {
            version: VERSION,
            daemonctl: "1".into(),
            boot: "b".into(),
            supervisor: Identity { pid: 7, started: 8 },
            installed: None,
            enabled: Some(SystemTime::UNIX_EPOCH),
            units: BTreeMap::from([("b".to_owned(), record.clone()), ("a\"".to_owned(), record.clone())]),
        };
        let text = serde_json::to_vec(&file).expect("json");
        let glance = parse(&text).expect("a glance");
        assert_eq!((glance.supervisor, glance.enabled, &*glance.boot), (file.supervisor, file.enabled, "b"));
        let names: Vec<&str> = glance.units.0.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a\"", "b"]);
        let (now, wall_now) = (Duration::from_secs(10), Timestamp::UNIX_EPOCH);
        let row = glance.units.0[0].1.describe("b", Scope::User, now, wall_now);
        let mut whole = Status::not_installed("b", "embedded", Scope::User);
        record.describe(&mut whole, now, wall_now, false);
        assert_eq!((row.state, row.restarts, &row.next_retry), (whole.state, whole.restarts, &whole.next_retry));
        let reason = |status: &Status| status.last_exit.as_ref().map(|last| last.reason.clone());
        assert_eq!((reason(&row), row.healthy, row.ready), (reason(&whole), whole.healthy, Some(false)));
        let other = String::from_utf8(text).expect("text").replacen("\"version\":1", "\"version\":2", 1);
        assert!(parse(other.as_bytes()).is_none());
    }
}
