//! Logs from the journal, through `journalctl`'s JSON.
//!
//! What is there already is read first, for each unit as many lines as were asked for; following then begins behind the
//! last entry, so that nothing is lost or told twice between the two.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::link::Facts;
use crate::backend::systemd::names;
use crate::error::{Error, Result};
use crate::layout::Scope;
use crate::logs::{LogLine, LogQuery, Sink, Stream};
use crate::service::Service;

/// The fields that are looked at; entries have dozens.
const FIELDS: &str = "MESSAGE,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,UNIT,USER_UNIT,_PID,_TRANSPORT";

/// An entry, and where it stands in the journal.
struct Entry {
    line: LogLine,
    /// Of the process that wrote it.
    pid: Option<u32>,
    cursor: Option<String>,
}

/// Gives what the query asks for to the sink.
pub(super) fn logs(units: &[Service], scope: Scope, query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
    let ids: Vec<String> = units.iter().map(Service::id).collect();
    let mut last = None;
    // The journal itself can only count for all units together.
    let apart = query.lines.is_some() && ids.len() > 1;
    let groups: Vec<&[String]> = if apart { ids.chunks(1).collect() } else { vec![&ids] };
    if apart {
        let mut entries = Vec::new();
        for group in groups {
            read(group, scope, query, &mut |entry| {
                entries.push(entry);
                ControlFlow::Continue(())
            })?;
        }
        entries.sort_by_key(|entry| entry.line.time);
        for entry in entries {
            last = entry.cursor.or(last);
            if sink.line(entry.line).is_break() {
                return Ok(());
            }
        }
    } else {
        let mut done = false;
        read(&ids, scope, query, &mut |entry| {
            last = entry.cursor.or(last.take());
            let flow = sink.line(entry.line);
            done = flow.is_break();
            flow
        })?;
        if done {
            return Ok(());
        }
    }
    // journalctl would just say nothing, now and for ever.
    if last.is_none() && scope == Scope::System && !may_read() {
        return Err(not_permitted());
    }
    if !query.follow || sink.idle().is_break() {
        return Ok(());
    }
    follow(&ids, scope, query, last.as_deref(), sink)
}

/// The last lines that a unit wrote in its last run; where it wrote none, what the manager said of
/// it. The invocation's identity would tell runs apart better, but journald can't find it for a process that has gone.
pub(super) fn last_lines(service: &str, scope: Scope, facts: &Facts, count: usize) -> Vec<String> {
    if scope == Scope::System {
        // What a program wrote just before it ended may still be on its way through journald.
        let _ = crate::system::commands::Command::new("journalctl").args(["--sync"]).run();
    }
    let Some(id) = names::id(service) else { return Vec::new() };
    let mut of_unit = command(&[id.to_owned()], scope);
    of_unit.arg(format!("--lines={}", count * 4));
    let (own, about) = last_of(of_unit, scope, facts, count);
    if !own.is_empty() {
        return own.into();
    }
    // In user scope journald looks up whose line it is by the process, and one that has ended by then is nobody's.
    let processes = if scope == Scope::User { processes(&names::unit(id, "service"), facts) } else { Vec::new() };
    if let Some(began) = processes.iter().map(|(_, began)| *began).min() {
        let of_process = || {
            let mut command = journalctl();
            command.args(processes.iter().map(|(pid, _)| format!("_PID={pid}")));
            command.arg(format!("_UID={}", crate::system::machine::ids().0));
            command.arg(format!("--since=@{}", began.saturating_sub(1)));
            command
        };
        // A user can't have journald write down first what is still on its way.
        wait_for_entry(of_process());
        let (own, _) = last_of(of_process(), scope, facts, count);
        if !own.is_empty() {
            return own.into();
        }
    }
    about.into()
}

/// The processes of a user's unit, its main one and those of its hooks, and when each began in seconds of Unix time.
fn processes(unit: &str, facts: &Facts) -> Vec<(u32, u64)> {
    let mut all: Vec<_> = facts.last_pid.zip(facts.started.map(|micros| micros / 1_000_000)).into_iter().collect();
    let shown = crate::system::commands::Command::new("systemctl")
        .args(["--user", "--no-pager", "show", "--timestamp=unix", "-p", "ExecStartPre,ExecStartPost", "--", unit])
        .env("LC_ALL", "C")
        .run();
    // Before version 251 it had no such times. What hooks said is then shown only as far as journald knew them.
    if let Some(shown) = shown.ok().filter(crate::system::commands::Ended::success) {
        all.extend(shown.text().lines().filter_map(hook_process));
    }
    all
}

/// Of a line of `systemctl show`: `ExecStartPre={ path=... ; start_time=[@1795250995] ; stop_time=... ; pid=88 ; ... }`.
fn hook_process(line: &str) -> Option<(u32, u64)> {
    // The command's own words come before it.
    let (_, times) = line.rsplit_once(" ; start_time=[@")?;
    let (began, rest) = times.split_once(']')?;
    let (pid, _) = rest.split_once(" ; pid=")?.1.split_once(' ')?;
    Some((pid.parse().ok().filter(|pid| *pid != 0)?, began.parse().ok()?))
}

/// How long lines that a program wrote just before it ended may be on their way through journald.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Waits until the command finds an entry, though not for long: a program may have ended without a word.
fn wait_for_entry(mut command: Command) {
    command.args(["--follow", "--no-tail"]);
    let Ok((mut child, mut reader)) = spawn(command) else { return };
    std::thread::scope(|scope| {
        let (seen, found) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut line = Vec::new();
            // Whatever comes, and also that nothing more can come.
            let _ = reader.read_until(b'\n', &mut line);
            let _ = seen.send(());
        });
        let _ = found.recv_timeout(ON_ITS_WAY);
        let _ = child.kill();
        let _ = child.wait();
    });
}

/// Whether it is of the last run. That begins when systemd notes that it has made the main process; by then the process
/// may have written something.
fn is_of_last_run(entry: &Entry, facts: &Facts) -> bool {
    let started = facts.started.and_then(|micros| jiff::Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok());
    match (started, entry.line.time) {
        (Some(started), Some(time)) => time >= started || (entry.pid.is_some() && entry.pid == facts.last_pid),
        _ => true,
    }
}

/// The last lines of the last run by the unit itself, and by the manager about it.
fn last_of(command: Command, scope: Scope, facts: &Facts, count: usize) -> (VecDeque<String>, VecDeque<String>) {
    let (mut own, mut about) = (VecDeque::new(), VecDeque::new());
    // Without a journal there is nothing to add to the failure itself.
    let _ = run(command, scope, &mut |entry| {
        let of_last_run = is_of_last_run(&entry, facts);
        let lines = if entry.line.stream == Stream::Manager { &mut about } else { &mut own };
        if of_last_run {
            lines.push_back(entry.line.message);
        }
        if lines.len() > count {
            lines.pop_front();
        }
        ControlFlow::Continue(())
    });
    (own, about)
}

fn journalctl() -> Command {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--output=json", "--all"]).arg(format!("--output-fields={FIELDS}"));
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn command(ids: &[String], scope: Scope) -> Command {
    let mut command = journalctl();
    for id in ids {
        let unit = names::unit(id, "service");
        match scope {
            Scope::System => command.arg(format!("--unit={unit}")),
            Scope::User => command.arg(format!("--user-unit={unit}")),
        };
    }
    command
}

fn read(ids: &[String], scope: Scope, query: &LogQuery, give: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<()> {
    let mut command = command(ids, scope);
    if let Some(since) = query.since {
        command.arg(format!("--since=@{}", since.as_second()));
    }
    if let Some(until) = query.until {
        command.arg(format!("--until=@{}", until.as_second()));
    }
    match (query.lines, &query.grep) {
        (Some(0), _) => Ok(()),
        // With a text to look for, the last lines are the last that have it.
        (Some(lines), Some(text)) => {
            let mut kept = VecDeque::new();
            run(command, scope, &mut |entry| {
                if is_in_time(&entry, query) && entry.line.message.contains(text.as_str()) {
                    kept.push_back(entry);
                    if kept.len() > lines {
                        kept.pop_front();
                    }
                }
                ControlFlow::Continue(())
            })?;
            let _ = kept.into_iter().try_for_each(give);
            Ok(())
        }
        (lines, grep) => {
            if let Some(lines) = lines {
                command.arg(format!("--lines={lines}"));
            }
            run(command, scope, &mut |entry| {
                let wanted = is_in_time(&entry, query)
                    && grep.as_ref().is_none_or(|text| entry.line.message.contains(text.as_str()));
                if wanted { give(entry) } else { ControlFlow::Continue(()) }
            })
        }
    }
}

fn is_in_time(entry: &Entry, query: &LogQuery) -> bool {
    entry.line.time.is_none_or(|time| {
        query.since.is_none_or(|since| time >= since) && query.until.is_none_or(|until| time <= until)
    })
}

fn follow(ids: &[String], scope: Scope, query: &LogQuery, cursor: Option<&str>, sink: &mut dyn Sink) -> Result<()> {
    let mut command = command(ids, scope);
    command.arg("--follow");
    match (cursor, query.lines) {
        (Some(cursor), _) => command.arg("--no-tail").arg(format!("--after-cursor={cursor}")),
        (None, Some(0)) => command.arg("--lines=0"),
        // There was nothing that was asked for; what has come since is not lost.
        (None, _) => command.arg("--no-tail"),
    };
    let (mut child, mut reader) = spawn(command)?;
    let mut line = Vec::new();
    let ended = loop {
        // About to wait: what was buffered for a person must be seen now.
        if reader.buffer().is_empty() && sink.idle().is_break() {
            break false;
        }
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::io("read from journalctl", &error));
            }
        }
        let Some(entry) = entry(&line) else { continue };
        if !is_in_time(&entry, query)
            || query.grep.as_ref().is_some_and(|text| !entry.line.message.contains(text.as_str()))
        {
            continue;
        }
        if sink.line(entry.line).is_break() {
            break false;
        }
    };
    if !ended {
        let _ = child.kill();
    }
    finish(child, scope, !ended)
}

fn spawn(mut command: Command) -> Result<(Child, BufReader<ChildStdout>)> {
    let mut child = command.spawn().map_err(|error| {
        let made = Error::io("run `journalctl`", &error);
        if error.kind() == std::io::ErrorKind::NotFound {
            made.hint("the journal is read with `journalctl`, which comes with systemd; install it")
        } else {
            made
        }
    })?;
    match child.stdout.take() {
        Some(stdout) => Ok((child, BufReader::with_capacity(64 * 1024, stdout))),
        None => Err(Error::failed("journalctl has no output")),
    }
}

fn run(command: Command, scope: Scope, give: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<()> {
    let (mut child, mut reader) = spawn(command)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => return finish(child, scope, false),
            Ok(_) => {}
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::io("read from journalctl", &error));
            }
        }
        if let Some(entry) = entry(&line)
            && give(entry).is_break()
        {
            let _ = child.kill();
            return finish(child, scope, true);
        }
    }
}

/// What journalctl thought of it.
fn finish(mut child: Child, scope: Scope, stopped: bool) -> Result<()> {
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // Its complaints are short; a journalctl that was killed has none.
        let _ = stderr.read_to_string(&mut words);
    }
    let status = child.wait().map_err(|error| Error::io("wait for journalctl", &error))?;
    if !stopped && scope == Scope::System && words.contains("insufficient permissions") {
        return Err(not_permitted());
    }
    // A Ctrl-C ends us both.
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status).is_some();
    if stopped || status.success() || by_signal || words.trim().is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("journalctl failed: {}", words.trim())))
}

fn not_permitted() -> Error {
    Error::not_permitted("you may not read the system's journal")
        .hint("run it as root, or be in the group `systemd-journal`")
}

/// Whether the journal of the system's services can be opened. journalctl keeps quiet about it when it writes JSON.
fn may_read() -> bool {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    !["/var/log/journal", "/run/log/journal"].iter().any(|folder| {
        let file = std::path::Path::new(folder).join(machine.trim()).join("system.journal");
        std::fs::File::open(file).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    })
}

fn entry(line: &[u8]) -> Option<Entry> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let manager = field("UNIT").or_else(|| field("USER_UNIT"));
    let unit = manager.or_else(|| field("_SYSTEMD_USER_UNIT")).or_else(|| field("_SYSTEMD_UNIT")).unwrap_or_default();
    let micros: i64 = field("__REALTIME_TIMESTAMP")?.parse().ok()?;
    Some(Entry {
        pid: field("_PID").and_then(|pid| pid.parse().ok()),
        line: LogLine {
            unit: names::id(unit).unwrap_or(unit).to_owned(),
            time: jiff::Timestamp::from_microsecond(micros).ok(),
            // journald keeps no mark of which of the two a line came from.
            stream: if manager.is_some() { Stream::Manager } else { Stream::Merged },
            message: message(value.get("MESSAGE")?),
        },
        cursor: field("__CURSOR").map(str::to_owned),
    })
}

/// A message that is not all printable comes as its bytes.
fn message(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let bytes: Vec<u8> =
                bytes.iter().filter_map(|byte| byte.as_u64().and_then(|b| u8::try_from(b).ok())).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read() {
        let line = br#"{"__REALTIME_TIMESTAMP":"1700000000000001","__CURSOR":"c","_SYSTEMD_UNIT":"web@a.service","MESSAGE":"hi","_TRANSPORT":"stdout"}"#;
        let entry = entry(line).unwrap();
        assert_eq!((entry.line.unit.as_str(), entry.line.message.as_str()), ("web@a", "hi"));
        assert_eq!(entry.line.time.unwrap().to_string(), "2023-11-14T22:13:20.000001Z");
        assert_eq!(entry.line.stream, Stream::Merged);
        assert_eq!(entry.cursor.as_deref(), Some("c"));
    }

    #[test]
    fn a_process_may_write_before_its_start_is_noted() {
        let at = |micros: u64, pid: u32| {
            let line = format!(r#"{{"__REALTIME_TIMESTAMP":"{micros}","_PID":"{pid}","MESSAGE":"hi"}}"#);
            entry(line.as_bytes()).unwrap()
        };
        let facts = Facts { started: Some(1000), last_pid: Some(7), ..Facts::default() };
        assert!(is_of_last_run(&at(999, 7), &facts));
        assert!(is_of_last_run(&at(1000, 8), &facts));
        assert!(!is_of_last_run(&at(999, 6), &facts));
        assert!(is_of_last_run(&at(999, 6), &Facts::default()));
    }

    #[test]
    fn the_processes_of_hooks() {
        let line = "ExecStartPre={ path=/bin/sh ; argv[]=/bin/sh -c : ; start_time=[@7] ; pid=1 ; ignore_errors=no ; \
                    start_time=[@1795250995] ; stop_time=[@1795250995] ; pid=89 ; code=exited ; status=9 }";
        assert_eq!(hook_process(line), Some((89, 1_795_250_995)));
        let not_run = "ExecStartPost={ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; start_time=[n/a] ; \
                       stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }";
        assert_eq!(hook_process(not_run), None);
        assert_eq!(hook_process("ExecStartPre="), None);
    }

    #[test]
    fn the_managers_words_and_raw_bytes() {
        let line =
            br#"{"__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"init.scope","UNIT":"web.service","MESSAGE":[27,91,255]}"#;
        let entry = entry(line).unwrap();
        assert_eq!(entry.line.unit, "web");
        assert_eq!(entry.line.stream, Stream::Manager);
        assert_eq!(entry.line.message, "\u{1b}[\u{fffd}");
        assert!(super::entry(b"not json").is_none());
    }
}
