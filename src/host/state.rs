//! The state file: what a supervisor knows of its units, replaced atomically, read without talking to it.
//!
//! It is also what the next supervisor goes on from, if this one is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::machine::{self, Current, Ended, Moment, Wanted};
use super::sys::Identity;
use super::words;
use crate::error::{Error, IoContext, Result};
use crate::layout::Layout;
use crate::report::{self, Check, LastExit, Sent, Status};

/// The format's version. A file of another one is not understood, and said so.
pub const VERSION: u32 = 1;

/// What a reader takes for granted is not written: of a thousand units that would be most of it.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A supervisor and its units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateFile {
    /// [`VERSION`].
    pub version: u32,
    /// daemonctl's version.
    pub daemonctl: String,
    /// Which boot its times count from.
    pub boot: String,
    /// The supervisor's process.
    pub supervisor: Identity,
    /// The last change of the folder of receipts after which they were exactly those of its units, without instances and
    /// dependencies: who finds it unchanged need not read them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub installed: Option<SystemTime>,
    /// The last change of the folder of markers of what is enabled after which they said what is said of the units here.
    #[serde(default, skip_serializing_if = "is_default")]
    pub enabled: Option<SystemTime>,
    /// Its units by name.
    pub units: BTreeMap<String, Record>,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Where it is.
    pub machine: machine::State,
    /// It says when it is ready.
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_ready: bool,
    /// Its main process, or the last one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub main: Option<Identity>,
    /// The mark in the environment of its processes.
    pub invocation: String,
    /// It was started by an earlier supervisor: its exit code can't be seen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub adopted: bool,
    /// What it waits for, in words.
    #[serde(default, skip_serializing_if = "is_default")]
    pub waiting: Option<String>,
    /// The answer of its health check.
    #[serde(default, skip_serializing_if = "is_default")]
    pub healthy: Option<bool>,
    /// The last answers of its checks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checks: Vec<Check>,
    /// What it says of itself (`STATUS=`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub says: Option<String>,
    /// What is wrong with its watched files, or with a change of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files: Vec<String>,
    /// Of a task: when it ran and runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub runs: Option<super::schedule::Runs>,
    /// When the last run ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ended_at: Option<Timestamp>,
    /// Where its output goes, and how that fares.
    #[serde(default, skip_serializing_if = "is_default")]
    pub logs: Vec<LogRecord>,
    /// Who was sent what by the last stop.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop: Vec<Sent>,
    /// Where it has thresholds: what was measured.
    #[serde(default, skip_serializing_if = "is_default")]
    pub meter: Option<Box<super::threshold::Meter>>,
    /// It starts with the supervisor; counts where [`StateFile::enabled`] does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub enabled: bool,
}

/// A log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Its path.
    pub path: PathBuf,
    /// Bytes that could not be written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropped: u64,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trouble: Option<String>,
}

/// Where that of a scope's supervisor lies.
#[must_use]
pub fn path(layout: &Layout) -> PathBuf {
    in_folder(&layout.runtime)
}

/// Where it lies in a runtime folder.
#[must_use]
pub fn in_folder(runtime: &Path) -> PathBuf {
    runtime.join("state.json")
}

/// Where a shim whose service failed leaves its last state.
#[must_use]
pub fn ended_in_folder(runtime: &Path) -> PathBuf {
    runtime.join("ended.json")
}

/// What the shim of a unit knows of it: while its process `host` runs, or after it ended with a failure (`host` is
/// None). None: nothing is known.
pub fn of_shim(layout: &Layout, unit: &str, host: Option<u32>) -> Result<Option<Record>> {
    let folder = layout.runtime.join("hosts").join(unit);
    let file = match host {
        Some(pid) => read(&in_folder(&folder))?.filter(|file| u32::try_from(file.supervisor.pid) == Ok(pid)),
        None => read(&ended_in_folder(&folder))?,
    };
    Ok(file.and_then(|mut file| file.units.remove(unit)))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reads it; None: there is none.
pub fn read(path: &Path) -> Result<Option<StateFile>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).doing(format_args!("read `{}`", path.display())),
    };
    let unreadable =
        |error: serde_json::Error| Error::failed(format!("`{}` is no state file: {error}", path.display()));
    // At once, and again for its version only where that fails: it may be long.
    let file = match serde_json::from_slice::<StateFile>(&text) {
        Ok(file) if file.version == VERSION => return Ok(Some(file)),
        other => other,
    };
    let Version { version } = serde_json::from_slice(&text).map_err(unreadable)?;
    if version != VERSION {
        return Err(Error::failed(format!(
            "`{}` has format {version}; this daemonctl reads format {VERSION}",
            path.display()
        ))
        .hint("the supervisor is of another version: restart it with this one"));
    }
    file.map(Some).map_err(unreadable)
}

/// Who was sent what by the last stop of each unit, as far as a state file of this boot tells.
#[must_use]
pub fn stops(path: &Path) -> BTreeMap<String, Vec<Sent>> {
    #[derive(Deserialize)]
    struct File {
        version: u32,
        boot: String,
        units: BTreeMap<String, Unit>,
    }
    #[derive(Deserialize)]
    struct Unit {
        #[serde(default)]
        stop: Vec<Sent>,
    }
    let file = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<File>(&text).ok());
    let file = file.filter(|file| file.version == VERSION && file.boot == super::sys::boot_id());
    file.map(|file| file.units.into_iter().map(|(name, unit)| (name, unit.stop)).collect()).unwrap_or_default()
}

/// Turns a moment since boot into a time of the wall clock.
#[must_use]
pub fn wall(moment: Moment, now: Moment, wall_now: Timestamp) -> Timestamp {
    let distance = |time: std::time::Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    let result = if moment > now {
        wall_now.checked_add(distance(moment.saturating_sub(now)))
    } else {
        wall_now.checked_sub(distance(now.saturating_sub(moment)))
    };
    result.unwrap_or(wall_now)
}

impl Record {
    /// Fills in what it knows. `orphaned`: no supervisor runs.
    pub fn describe(&self, status: &mut Status, now: Moment, wall_now: Timestamp, orphaned: bool) {
        let state = &self.machine;
        let stamp = |moment| super::logs::format::stamp(wall(moment, now, wall_now));
        status.state = state.word();
        status.raw_state = Some(format!("{:?}", state.current).to_lowercase());
        status.wanted = Some(match state.wanted {
            Wanted::Up => report::Wanted::Up,
            Wanted::Down => report::Wanted::Down,
        });
        status.since = Some(stamp(state.since));
        let alive = state.current.has_main();
        status.pid = self.main.filter(|_| alive).and_then(|main| u32::try_from(main.pid).ok());
        status.uptime = state.started.filter(|_| alive).map(|started| now.saturating_sub(started).as_secs_f64());
        status.restarts = Some(state.restarts);
        status.next_retry = state.deadline.filter(|_| state.current == Current::Backoff).map(stamp);
        status.last_exit = self.last_exit();
        status.healthy = self.healthy;
        status.checks.clone_from(&self.checks);
        status.hosted = true;
        status.last_stop.clone_from(&self.stop);
        let paths: Vec<String> = self.logs.iter().map(|log| log.path.display().to_string()).collect();
        status.logs = (!paths.is_empty()).then(|| paths.join(", "));
        if let Some(reason) = &state.reason {
            status.notes.push(reason.clone());
        }
        if let Some(waiting) = &self.waiting {
            status.notes.push(waiting.clone());
        }
        if let Some(says) = &self.says {
            status.notes.push(format!("it says: {says}"));
        }
        status.notes.extend(self.files.iter().cloned());
        if let Some(runs) = &self.runs {
            // A task that runs is up, as one that waits for its next run.
            if status.state == report::State::Starting && alive {
                status.state = report::State::Running;
            }
            status.last_run = runs.last.map(super::logs::format::stamp);
            status.next_run = runs.next.filter(|_| !orphaned).map(super::logs::format::stamp);
            status.notes.extend(runs.skipped.clone());
        }
        let over = self.meter.iter().flat_map(|meter| meter.over());
        status.notes.extend(over.map(|measure| format!("{} is over its threshold", measure.name())));
        for log in &self.logs {
            if let Some(trouble) = &log.trouble {
                status.notes.push(format!("{trouble}; {} bytes of output are lost", log.dropped));
            } else if log.dropped > 0 {
                status.notes.push(format!("{} bytes of output could not be written", log.dropped));
            }
        }
        if orphaned {
            status.notes.push("no supervisor runs: nothing restarts it".to_owned());
        } else if self.adopted && alive {
            status.notes.push("taken over from an earlier supervisor: its exit code will not be seen".to_owned());
        }
    }

    /// How the last run ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<LastExit> {
        let last = self.machine.last.as_ref()?;
        Some(last_exit(last, self.machine.blame.as_deref(), self.ended_at))
    }
}

/// How a run ended, for people.
pub(super) fn last_exit(last: &Ended, blame: Option<&str>, at: Option<Timestamp>) -> LastExit {
    let (code, signal) = match last {
        Ended::Code(code) => (Some(*code), None),
        Ended::Signal(signal) => (None, Some(words::signal_name(*signal))),
        Ended::Unseen | Ended::Never(_) => (None, None),
    };
    let reason = words::ended(Some(last), blame);
    LastExit { code, signal, reason, at: at.map(super::logs::format::stamp) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn moments_become_times_of_the_wall_clock() {
        let wall_now: Timestamp = "2026-01-02T00:00:00Z".parse().expect("a time");
        let at = wall(Duration::from_secs(90), Duration::from_secs(100), wall_now);
        assert_eq!(at.to_string(), "2026-01-01T23:59:50Z");
        let at = wall(Duration::from_secs(101), Duration::from_secs(100), wall_now);
        assert_eq!(at.to_string(), "2026-01-02T00:00:01Z");
    }

    #[test]
    fn a_file_of_another_version_is_refused_by_its_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        assert!(read(&path).expect("nothing there").is_none());
        std::fs::write(&path, "{\"version\":77}").expect("write");
        let error = read(&path).expect_err("another version");
        assert!(error.to_string().contains("format 77"), "{error}");
    }
}
