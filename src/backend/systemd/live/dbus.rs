//! systemd over its message bus. See org.freedesktop.systemd1(5).

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use zbus::message::Message;
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use super::bus::{BUS, Bus, PATIENCE, body, call, odd};
use super::link::{Ask, Facts, JobEnd, Link, Listed, Verb, Wait};
use crate::error::{Error, Result};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const ROOT: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const TIMER: &str = "org.freedesktop.systemd1.Timer";

/// A row of `ListUnitsByNames`: name, description, load, active, sub, following, path, job id, job type, job path.
type Row = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

/// The manager behind a bus.
pub(super) struct DBus {
    bus: Bus,
    subscribed: bool,
}

impl DBus {
    /// The manager that is reached through this bus.
    pub(super) const fn new(bus: Bus) -> Self {
        Self { bus, subscribed: false }
    }

    /// Without this systemd tells nobody of its jobs.
    fn subscribe(&mut self) -> Result<()> {
        if self.subscribed {
            return Ok(());
        }
        let rule = format!("type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobRemoved',path='{ROOT}'");
        let calls = [call(BUS.0, BUS.1, BUS.0, "AddMatch", &rule)?, manager("Subscribe", &())?];
        for answer in self.bus.batch(&calls, PATIENCE)? {
            answer.map_err(|refusal| refusal.error("listen to systemd's jobs"))?;
        }
        self.subscribed = true;
        Ok(())
    }

    /// In two questions: what is told of every unit, and everything of those that do not just run, or of all. All that
    /// systemd says of one takes it longer than all the rest of an answer about a service that runs.
    fn gather(&mut self, units: &[String], of_all: bool) -> Result<Vec<Facts>> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let asked = |unit: &str| if is_timer(unit) { &OF_EACH[..1] } else { &OF_EACH[..] };
        let mut calls = Vec::with_capacity(1 + units.len() * OF_EACH.len());
        calls.push(manager("ListUnitsByNames", &units)?);
        for unit in units {
            let path = object_path(unit);
            for question in asked(unit) {
                calls.push(call(SYSTEMD, &path, PROPERTIES, "Get", question)?);
            }
        }
        let mut answers = self.bus.batch(&calls, PATIENCE)?.into_iter();
        let listed = match answers.next() {
            Some(Ok(answer)) => listed(units, &answer)?,
            Some(Err(refusal)) => return Err(refusal.error("ask systemd for its units")),
            None => return Err(Error::failed("cannot ask systemd for its units: no answer")),
        };
        let mut all = Vec::with_capacity(units.len());
        for (unit, listed) in units.iter().zip(listed) {
            let mut facts = Facts { listed, ..Facts::default() };
            for ((_, name), answer) in asked(unit).iter().zip(answers.by_ref()) {
                if let Ok(answer) = answer {
                    let value: OwnedVariant = body(&answer)?;
                    fill(&mut facts, name, &value);
                }
            }
            all.push(facts);
        }
        let some = (0..units.len()).filter(|at| {
            let facts = &all[*at];
            // Without a main process it has ended between two answers.
            let just_runs = facts.listed.just_runs() && facts.main_pid.is_some();
            of_all || is_timer(&units[*at]) || (facts.listed.is_loaded() && !just_runs)
        });
        self.fill_all(units, &some.collect::<Vec<_>>(), &mut all)?;
        Ok(all)
    }

    /// Everything that systemd says of some of the units, and their states anew.
    fn fill_all(&mut self, units: &[String], some: &[usize], all: &mut [Facts]) -> Result<()> {
        if some.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = some.iter().map(|at| units[*at].clone()).collect();
        let mut calls = vec![manager("ListUnitsByNames", &names)?];
        for unit in &names {
            let own = if is_timer(unit) { TIMER } else { SERVICE };
            calls.push(call(SYSTEMD, &object_path(unit), PROPERTIES, "GetAll", &own)?);
        }
        let mut answers = self.bus.batch(&calls, PATIENCE)?.into_iter();
        if let Some(Ok(answer)) = answers.next() {
            for (at, listed) in some.iter().zip(listed(&names, &answer)?) {
                all[*at].listed = listed;
            }
        }
        for (at, answer) in some.iter().zip(answers) {
            if let Ok(answer) = answer {
                let body = answer.body();
                let properties: HashMap<&str, Variant<'_>> = body.deserialize().map_err(|error| odd(&error))?;
                for (name, value) in properties {
                    fill(&mut all[*at], name, &value);
                }
            }
        }
        Ok(())
    }
}

/// What is asked about each unit; of a timer only the first.
const OF_EACH: [(&str, &str); 4] =
    [(UNIT, "StateChangeTimestamp"), (SERVICE, "MainPID"), (SERVICE, "NRestarts"), (SERVICE, "StatusText")];

/// The rows of a list in the order of the units.
fn listed(units: &[String], answer: &Message) -> Result<Vec<Listed>> {
    let rows: Vec<Row> = body(answer)?;
    let mut known: HashMap<String, Listed> =
        rows.into_iter().map(|(name, _, load, active, sub, ..)| (name, Listed { load, active, sub })).collect();
    Ok(units.iter().map(|unit| known.remove(unit).unwrap_or_default()).collect())
}

fn manager<B: serde::Serialize + zbus::DynamicType>(member: &'static str, body: &B) -> Result<Message> {
    call(SYSTEMD, ROOT, MANAGER, member, body)
}

fn is_timer(unit: &str) -> bool {
    unit.rsplit_once('.').is_some_and(|(_, suffix)| suffix == "timer")
}

/// The object of a unit: every character other than letters and digits is written as `_` and its number.
fn object_path(unit: &str) -> String {
    use std::fmt::Write;
    let mut path = format!("{ROOT}/unit/");
    for (at, byte) in unit.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (byte.is_ascii_digit() && at > 0) {
            path.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(path, "_{byte:02x}");
        }
    }
    path
}

fn text(value: &Variant<'_>) -> Option<String> {
    match value {
        Variant::Str(text) if !text.is_empty() => Some(text.as_str().to_owned()),
        Variant::Variant(inner) => text(inner),
        _ => None,
    }
}

fn number(value: &Variant<'_>) -> Option<u64> {
    match value {
        Variant::U8(n) => Some((*n).into()),
        Variant::U16(n) => Some((*n).into()),
        Variant::U32(n) => Some((*n).into()),
        Variant::U64(n) => Some(*n),
        Variant::I32(n) => u64::try_from(*n).ok(),
        Variant::I64(n) => u64::try_from(*n).ok(),
        Variant::Variant(inner) => number(inner),
        _ => None,
    }
}

/// A time; systemd says 0 or the greatest number for none.
fn time(value: &Variant<'_>) -> Option<u64> {
    number(value).filter(|time| *time != 0 && *time != u64::MAX)
}

fn fill(facts: &mut Facts, name: &str, value: &Variant<'_>) {
    let small = |value: &Variant<'_>| number(value).and_then(|n| i32::try_from(n).ok()).unwrap_or_default();
    match name {
        "FragmentPath" => facts.fragment = text(value).map(PathBuf::from),
        "Result" => facts.result = text(value).unwrap_or_default(),
        "MainPID" => facts.main_pid = number(value).and_then(|n| u32::try_from(n).ok()).filter(|pid| *pid != 0),
        "ExecMainPID" => facts.last_pid = number(value).and_then(|n| u32::try_from(n).ok()).filter(|pid| *pid != 0),
        "ExecMainCode" => facts.exit_code = small(value),
        "ExecMainStatus" => facts.exit_status = small(value),
        "ExecMainExitTimestamp" => facts.exit_time = time(value),
        "ExecMainStartTimestamp" => facts.started = time(value),
        "StateChangeTimestamp" => facts.changed = time(value),
        "NRestarts" => facts.restarts = number(value),
        "RestartUSec" => facts.restart_delay = facts.restart_delay.or_else(|| number(value)),
        "RestartUSecNext" => facts.restart_delay = time(value).or(facts.restart_delay),
        "ControlGroup" => facts.cgroup = text(value),
        "StatusText" => facts.status_text = text(value),
        "NextElapseUSecRealtime" => facts.next_elapse = time(value).or(facts.next_elapse),
        "NextElapseUSecMonotonic" => {
            facts.next_elapse = facts.next_elapse.or_else(|| time(value).and_then(super::clock::wall_of_monotonic));
        }
        "LastTriggerUSec" => facts.last_trigger = time(value),
        _ => {}
    }
}

/// `252 (252.39-1~deb12u2)`, `v256.1`.
pub(super) fn version_number(text: &str) -> Option<u32> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

impl Link for DBus {
    fn version(&mut self) -> Result<Option<u32>> {
        let answer =
            self.bus.one(call(SYSTEMD, ROOT, PROPERTIES, "Get", &(MANAGER, "Version"))?, "ask systemd's version")?;
        let value: OwnedVariant = body(&answer)?;
        Ok(text(&value).as_deref().and_then(version_number))
    }

    fn list(&mut self, units: &[String]) -> Result<Vec<Listed>> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.bus.one(manager("ListUnitsByNames", &units)?, "ask systemd for its units")?;
        listed(units, &answer)
    }

    fn holds(&mut self, patterns: &[String]) -> Result<bool> {
        if patterns.is_empty() {
            return Ok(false);
        }
        let none: &[&str] = &[];
        let answer = self.bus.one(manager("ListUnitsByPatterns", &(none, patterns))?, "ask systemd for its units")?;
        let rows: Vec<Row> = body(&answer)?;
        Ok(rows.iter().any(|row| row.2 != "not-found" && row.2 != "stub"))
    }

    fn facts(&mut self, units: &[String], ask: Ask) -> Result<Vec<Facts>> {
        let asked: &[(&str, &str)] = match ask {
            Ask::All => return self.gather(units, true),
            Ask::State => return self.gather(units, false),
            Ask::Origin => &[(UNIT, "FragmentPath"), (SERVICE, "MainPID")],
            Ask::MainPid => &[(SERVICE, "MainPID")],
            Ask::Restarts => &[(SERVICE, "NRestarts")],
            Ask::Cgroup => &[(SERVICE, "ControlGroup")],
        };
        let mut calls = Vec::with_capacity(units.len() * asked.len());
        for unit in units {
            let path = object_path(unit);
            for question in asked {
                calls.push(call(SYSTEMD, &path, PROPERTIES, "Get", question)?);
            }
        }
        let answers = self.bus.batch(&calls, PATIENCE)?;
        answers
            .chunks(asked.len())
            .map(|some| {
                let mut facts = Facts::default();
                for ((_, name), answer) in asked.iter().zip(some) {
                    if let Ok(answer) = answer {
                        let value: OwnedVariant = body(answer)?;
                        fill(&mut facts, name, &value);
                    }
                }
                Ok(facts)
            })
            .collect()
    }

    fn file_states(&mut self, units: &[String]) -> Result<Vec<Option<String>>> {
        let calls: Vec<Message> = units.iter().map(|unit| manager("GetUnitFileState", unit)).collect::<Result<_>>()?;
        let answers = self.bus.batch(&calls, PATIENCE)?;
        Ok(answers.iter().map(|answer| answer.as_ref().ok().and_then(|answer| body(answer).ok())).collect())
    }

    fn jobs(&mut self, jobs: &[(Verb, String)], wait: &mut Wait<'_>) -> Result<Vec<JobEnd>> {
        self.subscribe()?;
        self.bus.drop_signals();
        let mut calls = Vec::with_capacity(jobs.len());
        for (verb, unit) in jobs {
            let (member, mode) = match verb {
                Verb::Start => ("StartUnit", "replace"),
                Verb::Stop => ("StopUnit", "replace"),
                // A restart of a service that others require would restart them too.
                Verb::Restart => ("RestartUnit", "ignore-requirements"),
                Verb::Reload => ("ReloadUnit", "replace"),
            };
            calls.push(manager(member, &(unit.as_str(), mode))?);
        }
        let mut ends: Vec<Option<JobEnd>> = jobs.iter().map(|_| None).collect();
        let mut pending: HashMap<OwnedObjectPath, Vec<usize>> = HashMap::new();
        for (at, answer) in self.bus.batch(&calls, PATIENCE)?.into_iter().enumerate() {
            match answer {
                Ok(answer) => pending.entry(body(&answer)?).or_default().push(at),
                Err(refusal) => {
                    let (verb, unit) = &jobs[at];
                    ends[at] = Some(Err(refusal.error(&format!("{} `{unit}`", verb.name()))));
                }
            }
        }
        while !pending.is_empty() {
            let first = pending.values().flatten().min().copied().unwrap_or_default();
            let slice = match wait.slice() {
                Ok(slice) => slice,
                Err(error) => {
                    for at in pending.into_values().flatten() {
                        let (verb, unit) = &jobs[at];
                        let doing = format!("cannot {} `{unit}`", verb.name());
                        ends[at] = Some(Err(Error::new(error.exit(), format!("{doing}: {error}"))));
                    }
                    break;
                }
            };
            let Some(signal) = self.bus.signal(slice)? else {
                let (verb, unit) = &jobs[first];
                wait.progress.waiting(unit, &format!("waiting for systemd to {} it", verb.name()));
                continue;
            };
            if signal.header().member().is_some_and(|member| member.as_str() == "JobRemoved") {
                let (_, job, _, result): (u32, OwnedObjectPath, String, String) = body(&signal)?;
                for at in pending.remove(&job).unwrap_or_default() {
                    ends[at] = Some(Ok(result.clone()));
                }
            }
        }
        Ok(ends.into_iter().map(|end| end.unwrap_or_else(|| Err(Error::failed("systemd forgot the job")))).collect())
    }

    fn reset_failed(&mut self, units: &[String]) -> Result<()> {
        let calls: Vec<Message> = units.iter().map(|unit| manager("ResetFailedUnit", unit)).collect::<Result<_>>()?;
        for answer in self.bus.batch(&calls, PATIENCE)? {
            if let Err(refusal) = answer
                && !refusal.name.ends_with("NoSuchUnit")
            {
                return Err(refusal.error("reset a unit's failures"));
            }
        }
        Ok(())
    }

    fn reload(&mut self) -> Result<()> {
        // With many units loaded it takes its time.
        let answers = self.bus.batch(&[manager("Reload", &())?], Duration::from_secs(180))?;
        for answer in answers {
            answer.map_err(|refusal| refusal.error("have systemd read its units anew"))?;
        }
        Ok(())
    }

    fn enable(&mut self, units: &[String]) -> Result<()> {
        self.bus.one(manager("EnableUnitFiles", &(units, false, false))?, "enable units").map(drop)
    }

    fn disable(&mut self, units: &[String]) -> Result<()> {
        self.bus.one(manager("DisableUnitFiles", &(units, false))?, "disable units").map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_paths_are_escaped_as_systemd_does() {
        assert_eq!(object_path("web@a-1.service"), "/org/freedesktop/systemd1/unit/web_40a_2d1_2eservice");
        assert_eq!(object_path("1.service"), "/org/freedesktop/systemd1/unit/_31_2eservice");
    }

    #[test]
    fn versions() {
        assert_eq!(version_number("252.39-1~deb12u2"), Some(252));
        assert_eq!(version_number("v256.1"), Some(256));
        assert_eq!(version_number("systemd 249 (249.11)"), Some(249));
        assert_eq!(version_number(""), None);
    }
}
