//! systemd over `systemctl`, where no bus answers: the same questions, answered more slowly.
//!
//! `show -p` is made for programs: `Key=value` lines with a blank line between units, in no language.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::link::{Ask, Facts, JobEnd, LOOK_UP, Link, Listed, Verb, Wait};
use crate::error::{Error, Result};
use crate::layout::Scope;
use crate::system::commands::{Command, Ended};

/// Without another bound a job may take as long as its unit's time-outs let it.
const LONGEST_JOB: Duration = Duration::from_secs(24 * 3600);

/// See the module.
pub(super) struct Systemctl {
    scope: Scope,
    program: PathBuf,
    runtime_dir: Option<PathBuf>,
}

impl Systemctl {
    pub(super) fn new(scope: Scope, runtime_dir: Option<PathBuf>) -> Self {
        Self { scope, program: PathBuf::from("systemctl"), runtime_dir }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program).args(["--no-pager", "--no-ask-password", "--quiet"]);
        if self.scope == Scope::User {
            command = command.arg("--user");
            if let Some(folder) = &self.runtime_dir {
                command = command.env("XDG_RUNTIME_DIR", folder);
            }
        }
        command.env("LC_ALL", "C").env("SYSTEMD_COLORS", "0")
    }

    fn show(&self, units: &[String], properties: &str) -> Result<Vec<HashMap<String, String>>> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let shown = self.command().args(["show", "--timestamp=us+utc", "-p", properties, "--"]).args(units).run()?;
        let shown = if shown.success() {
            shown
        } else {
            // Before version 247 it had no --timestamp; the times are then left out.
            self.command().args(["show", "-p", properties, "--"]).args(units).run()?
        };
        if !shown.success() {
            return Err(complaint(&shown, "ask systemd for its units"));
        }
        let blocks = parse(&shown.text());
        if blocks.len() == units.len() {
            Ok(blocks)
        } else {
            Err(Error::failed(format!("`systemctl show` told of {} units, asked for {}", blocks.len(), units.len())))
        }
    }
}

/// The blocks of `systemctl show`.
fn parse(text: &str) -> Vec<HashMap<String, String>> {
    text.trim_end()
        .split("\n\n")
        .map(|block| {
            block
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect()
        })
        .collect()
}

fn complaint(ended: &Ended, tried: &str) -> Error {
    let words = String::from_utf8_lossy(&ended.stderr);
    let words = words.trim();
    let message = format!("cannot {tried}: {}", if words.is_empty() { "systemctl did not say why" } else { words });
    if words.contains("authentication required")
        || words.contains("Access denied")
        || words.contains("Permission denied")
    {
        return Error::not_permitted(message)
            .hint("run it as root (`sudo daemonctl ...`), or use your own manager with `--user`");
    }
    Error::failed(message)
}

/// `Sat 2026-11-21 00:48:42.123456 UTC`.
fn time(text: &str) -> Option<u64> {
    let mut parts = text.split_whitespace().skip(1);
    let (date, time) = (parts.next()?, parts.next()?);
    let stamp: jiff::Timestamp = format!("{date}T{time}Z").parse().ok()?;
    u64::try_from(stamp.as_microsecond()).ok().filter(|micros| *micros != 0)
}

/// `1min 30s`, `100ms`: systemd's way of writing a span, in microseconds.
fn span(text: &str) -> Option<u64> {
    let mut sum = 0_u64;
    for part in text.split_whitespace() {
        let unit = part.find(|c: char| c.is_ascii_alphabetic())?;
        let number: f64 = part[..unit].parse().ok()?;
        let scale = match &part[unit..] {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            "min" => 6e7,
            "h" => 3.6e9,
            "d" => 8.64e10,
            _ => return None,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "systemd writes no negative spans")]
        {
            sum += (number * scale) as u64;
        }
    }
    (sum > 0).then_some(sum)
}

fn facts(block: &HashMap<String, String>) -> Facts {
    let get = |key: &str| block.get(key).map(String::as_str).filter(|value| !value.is_empty() && *value != "[not set]");
    let owned = |key: &str| get(key).unwrap_or_default().to_owned();
    let small = |key: &str| get(key).and_then(|value| value.parse().ok()).unwrap_or_default();
    Facts {
        listed: Listed { load: owned("LoadState"), active: owned("ActiveState"), sub: owned("SubState") },
        fragment: get("FragmentPath").map(PathBuf::from),
        result: owned("Result"),
        main_pid: get("MainPID").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
        last_pid: get("ExecMainPID").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
        exit_code: small("ExecMainCode"),
        exit_status: small("ExecMainStatus"),
        exit_time: get("ExecMainExitTimestamp").and_then(time),
        started: get("ExecMainStartTimestamp").and_then(time),
        changed: get("StateChangeTimestamp").and_then(time),
        restarts: get("NRestarts").and_then(|n| n.parse().ok()),
        restart_delay: get("RestartUSec").and_then(span),
        cgroup: get("ControlGroup").map(str::to_owned),
        status_text: get("StatusText").map(str::to_owned),
        next_elapse: get("NextElapseUSecRealtime")
            .and_then(time)
            .or_else(|| get("NextElapseUSecMonotonic").and_then(span).and_then(super::clock::wall_of_monotonic)),
        last_trigger: get("LastTriggerUSec").and_then(time),
    }
}

const STATES: &str = "Id,LoadState,ActiveState,SubState";
const EVERYTHING: &str = "Id,LoadState,ActiveState,SubState,FragmentPath,Result,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,\
                          ExecMainStartTimestamp,ExecMainExitTimestamp,StateChangeTimestamp,NRestarts,RestartUSec,ControlGroup,\
                          StatusText,NextElapseUSecRealtime,NextElapseUSecMonotonic,LastTriggerUSec";

impl Link for Systemctl {
    fn version(&mut self) -> Result<Option<u32>> {
        let ended = self.command().arg("--version").check()?;
        Ok(super::dbus::version_number(ended.text().lines().next().unwrap_or_default()))
    }

    fn list(&mut self, units: &[String]) -> Result<Vec<Listed>> {
        Ok(self.show(units, STATES)?.iter().map(|block| facts(block).listed).collect())
    }

    fn holds(&mut self, patterns: &[String]) -> Result<bool> {
        let shown = self
            .command()
            .args(["list-units", "--all", "--full", "--plain", "--no-legend", "--"])
            .args(patterns)
            .check()?;
        // UNIT LOAD ACTIVE SUB DESCRIPTION
        Ok(shown.text().lines().any(|line| line.split_whitespace().nth(1).is_some_and(|load| load != "not-found")))
    }

    fn facts(&mut self, units: &[String], ask: Ask) -> Result<Vec<Facts>> {
        let properties = match ask {
            Ask::Origin => "Id,FragmentPath,MainPID",
            Ask::MainPid => "Id,MainPID",
            Ask::Restarts => "Id,NRestarts",
            Ask::Cgroup => "Id,ControlGroup",
            Ask::State | Ask::All => EVERYTHING,
        };
        Ok(self.show(units, properties)?.iter().map(facts).collect())
    }

    fn file_states(&mut self, units: &[String]) -> Result<Vec<Option<String>>> {
        let mut states = Vec::with_capacity(units.len());
        for unit in units {
            // Its exit code is an answer too: not 0 for a disabled unit.
            let ended = self.command_loud().args(["is-enabled", "--"]).arg(unit).run()?;
            states.push(ended.text().lines().next().map(str::to_owned).filter(|state| !state.is_empty()));
        }
        Ok(states)
    }

    fn jobs(&mut self, jobs: &[(Verb, String)], wait: &mut Wait<'_>) -> Result<Vec<JobEnd>> {
        let mut ends: Vec<Option<JobEnd>> = jobs.iter().map(|_| None).collect();
        for verb in [Verb::Stop, Verb::Restart, Verb::Start, Verb::Reload] {
            let ours: Vec<usize> = (0..jobs.len()).filter(|at| jobs[*at].0 == verb).collect();
            if ours.is_empty() {
                continue;
            }
            let limit = match (wait.slice(), wait.until) {
                (Err(error), _) => {
                    for at in ours {
                        ends[at] = Some(Err(Error::new(
                            error.exit(),
                            format!("cannot {} `{}`: {error}", verb.name(), jobs[at].1),
                        )));
                    }
                    continue;
                }
                (Ok(_), Some(until)) => until.saturating_duration_since(std::time::Instant::now()).max(LOOK_UP),
                (Ok(_), None) => LONGEST_JOB,
            };
            let units: Vec<&String> = ours.iter().map(|at| &jobs[*at].1).collect();
            if let Some(first) = units.first() {
                wait.progress.waiting(first, &format!("waiting for systemctl {}", verb.name()));
            }
            let mode: &[&str] = if verb == Verb::Restart { &["--job-mode=ignore-requirements"] } else { &[] };
            let ran = self.command().limit(limit).arg(verb.name()).args(mode).arg("--").args(&units).run();
            for at in ours {
                ends[at] = Some(match &ran {
                    Ok(ended) if ended.success() => Ok("done".to_owned()),
                    Ok(ended) => {
                        let error = complaint(ended, &format!("{} `{}`", verb.name(), jobs[at].1));
                        // Of several units systemctl does not say which failed; their states will tell.
                        if error.exit() == crate::exit::Exit::NotPermitted {
                            Err(error)
                        } else {
                            Ok("failed".to_owned())
                        }
                    }
                    Err(error) => Err(Error::new(error.exit(), error.to_string())),
                });
            }
        }
        Ok(ends.into_iter().map(|end| end.unwrap_or_else(|| Err(Error::failed("systemctl was not run")))).collect())
    }

    fn reset_failed(&mut self, units: &[String]) -> Result<()> {
        if units.is_empty() {
            return Ok(());
        }
        // A unit that it does not know is a failure for systemctl, and none for us.
        let ended = self.command().args(["reset-failed", "--"]).args(units).run()?;
        let words = String::from_utf8_lossy(&ended.stderr);
        if ended.success() || words.lines().all(|line| line.contains("not loaded")) {
            Ok(())
        } else {
            Err(complaint(&ended, "reset a unit's failures"))
        }
    }

    fn reload(&mut self) -> Result<()> {
        let ended = self.command().limit(Duration::from_secs(180)).arg("daemon-reload").run()?;
        if ended.success() { Ok(()) } else { Err(complaint(&ended, "have systemd read its units anew")) }
    }

    fn enable(&mut self, units: &[String]) -> Result<()> {
        let ended = self.command().args(["enable", "--no-reload", "--"]).args(units).run()?;
        if ended.success() { Ok(()) } else { Err(complaint(&ended, "enable units")) }
    }

    fn disable(&mut self, units: &[String]) -> Result<()> {
        let ended = self.command().args(["disable", "--no-reload", "--"]).args(units).run()?;
        if ended.success() { Ok(()) } else { Err(complaint(&ended, "disable units")) }
    }
}

impl Systemctl {
    /// `--quiet` would keep `is-enabled` from answering.
    fn command_loud(&self) -> Command {
        let mut command = Command::new(&self.program).args(["--no-pager", "--no-ask-password"]);
        if self.scope == Scope::User {
            command = command.arg("--user");
            if let Some(folder) = &self.runtime_dir {
                command = command.env("XDG_RUNTIME_DIR", folder);
            }
        }
        command.env("LC_ALL", "C")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_are_taken_apart() {
        let text = "Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=12\nResult=success\n\
                    StateChangeTimestamp=Sat 2026-11-21 00:48:42.000007 UTC\nRestartUSec=1min 500ms\n\
                    ExecMainExitTimestamp=\n\nId=b.service\nLoadState=not-found\nMainPID=0\n";
        let blocks = parse(text);
        let a = facts(&blocks[0]);
        assert_eq!((a.listed.active.as_str(), a.main_pid, a.restart_delay), ("active", Some(12), Some(60_500_000)));
        assert_eq!(a.changed.and_then(super::super::clock::rfc3339).unwrap(), "2026-11-21T00:48:42.000007Z");
        assert_eq!(a.exit_time, None);
        let b = facts(&blocks[1]);
        assert!(!b.listed.is_loaded());
        assert_eq!(b.main_pid, None);
    }
}
