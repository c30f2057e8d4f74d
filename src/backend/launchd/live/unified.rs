//! macOS' unified log, through `log`: what jobs write there themselves, and what launchd says of them.
//!
//! Reading it is slow, seconds for a day, and most programs write to their standard output only: so it is read for jobs whose
//! manifest asks for it (`logs = { to = ["native"] }`), and a day back where no time is given.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use jiff::Timestamp;

use super::manager::Launchd;
use crate::backend::embedded;
use crate::backend::launchd::names;
use crate::backend::launchd::printed::unified::{Wanted, entry, fits};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::layout::{Layout, Scope};
use crate::logs::{LogLine, LogQuery, Sink};
use crate::service::Service;
use crate::system::{commands, machine};

/// How long the log of a day, or of the time that was asked for, may take to be read.
const READS: Duration = Duration::from_secs(120);

/// `log stream` says first that it listens; what is written before that it misses.
const LISTENS: Duration = Duration::from_secs(5);

/// The log, and whose lines are looked for in it.
pub(super) struct Unified {
    program: PathBuf,
    wanted: Wanted,
}

impl Unified {
    /// For those of the units that log there; None: nobody does.
    pub(super) fn of(launchd: &Launchd, units: &[Service]) -> Result<Option<Self>> {
        let mut found = Self { program: PathBuf::new(), wanted: Wanted::default() };
        for unit in units.iter().filter(|unit| unit.logs.native && unit.gives(Key::LogsTo)) {
            let known = launchd.know(unit)?;
            if known.hosted {
                continue;
            }
            let Some(program) = program() else { continue };
            found.program = program;
            let (label, uid) = (names::label(unit), machine::euid());
            let targets = match launchd.target.scope {
                Scope::System => vec![format!("system/{label}")],
                Scope::User => vec![format!("gui/{uid}/{label}"), format!("user/{uid}/{label}")],
            };
            let runs = unit.exec.first().map(String::as_str).unwrap_or_default();
            found.wanted.add(&unit.id(), &targets, runs, known.pid());
        }
        Ok((!found.program.as_os_str().is_empty()).then_some(found))
    }

    /// What is there, oldest first.
    fn show(&mut self, query: &LogQuery) -> Result<Vec<LogLine>> {
        let mut command = commands::Command::new(&self.program).limit(READS);
        command = command.args(["show", "--style", "ndjson", "--predicate", &self.wanted.predicate()]);
        command = match query.since {
            Some(since) => command.args(["--start", &moment(since)]),
            None => command.args(["--last", "1d"]),
        };
        if let Some(until) = query.until {
            // Whole seconds: what is too much is left out afterwards.
            let end = until.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(until);
            command = command.args(["--end", &moment(end)]);
        }
        let ended = command.run().map_err(|error| error.context("the unified log was not read"))?;
        if !ended.success() {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            return Err(Error::failed(format!("the unified log was not read: `log show` {}", ended.reason()))
                .detail(said)
                .hint("`logs = { to = [\"native\"] }` asks for it; administrators may read all of it"));
        }
        Ok(self.wanted.lines(&ended.text(), query))
    }

    /// Gives what is in the files of the units and what is in the log: the files have no times, so they come last, and
    /// first count for the number of lines that is asked for.
    pub(super) fn logs(
        mut self,
        layout: &Layout,
        units: &[Service],
        query: &LogQuery,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let listening = if query.follow { Some(self.listen()?) } else { None };
        let shown = self.show(query);
        let mut files = Kept::default();
        let past = LogQuery { follow: false, ..query.clone() };
        embedded::file_logs(layout, units, &past, &mut files)?;
        let (log, failed) = shown.map_or_else(|error| (Vec::new(), Some(error)), |lines| (lines, None));
        let last = log.iter().filter_map(|line| line.time).max();
        let limit = query.lines;
        for line in room(log, &files.0, limit).into_iter().chain(if query.follow { Vec::new() } else { files.0 }) {
            if sink.line(line).is_break() {
                return Ok(());
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        match listening {
            Some(listening) => self.follow(listening, last, (layout, units, query), sink),
            None => Ok(()),
        }
    }

    fn listen(&self) -> Result<Listening> {
        let mut child = std::process::Command::new(&self.program)
            .args(["stream", "--style", "ndjson", "--predicate", &self.wanted.predicate()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Error::io("run `log stream`", &error))?;
        let (to, news) = channel();
        let lines = child.stdout.take().map(BufReader::new);
        let told = to.clone();
        std::thread::spawn(move || {
            for line in lines.into_iter().flat_map(BufRead::lines).map_while(std::io::Result::ok) {
                if told.send(News::Log(line)).is_err() {
                    return;
                }
            }
            let _ = told.send(News::End(Err(Error::failed("`log stream` has ended"))));
        });
        // The heading; should it be an entry, it is one of those that `log show` shows too.
        let _ = news.recv_timeout(LISTENS);
        Ok(Listening { child: Running(child), to, news })
    }

    /// Goes on with both, each with a thread of its own that waits for it.
    fn follow(
        mut self,
        listening: Listening,
        mut last: Option<Timestamp>,
        (layout, units, query): (&Layout, &[Service], &LogQuery),
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let Listening { child, to, news } = listening;
        let (layout, units, of_files) = (layout.clone(), units.to_vec(), query.clone());
        // It ends with its next line once nobody takes it any more, or with us.
        std::thread::spawn(move || {
            let ended = embedded::file_logs(&layout, &units, &of_files, &mut Told(to.clone()));
            let _ = to.send(News::End(ended));
        });
        let _child = child;
        loop {
            let next = match news.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    if sink.idle().is_break() {
                        return Ok(());
                    }
                    let Ok(next) = news.recv() else { return Ok(()) };
                    next
                }
            };
            let line = match next {
                News::End(ended) => return ended,
                News::File(line) => Some(line),
                News::Log(text) => entry(&text).and_then(|entry| {
                    self.wanted.learn(&entry);
                    // What `log show` had already.
                    let new = last.is_none_or(|last| entry.time > last);
                    last = last.max(Some(entry.time));
                    self.wanted.line(&entry).filter(|line| new && fits(line, query))
                }),
            };
            if line.is_some_and(|line| sink.line(line).is_break()) {
                return Ok(());
            }
        }
    }
}

/// `log stream`, and what comes of it and of the files.
struct Listening {
    child: Running,
    to: Sender<News>,
    news: Receiver<News>,
}

enum News {
    /// A line of `log stream`.
    Log(String),
    File(LogLine),
    End(Result<()>),
}

/// A child that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Of each unit as many lines of the log as its lines of files leave room for.
fn room(log: Vec<LogLine>, files: &[LogLine], limit: Option<usize>) -> Vec<LogLine> {
    let Some(limit) = limit else { return log };
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for line in &log {
        left.entry(line.unit.clone())
            .or_insert_with(|| limit.saturating_sub(files.iter().filter(|file| file.unit == line.unit).count()));
    }
    let mut kept: Vec<LogLine> = log
        .into_iter()
        .rev()
        .filter(|line| {
            let Some(left) = left.get_mut(&line.unit).filter(|left| **left > 0) else { return false };
            *left -= 1;
            true
        })
        .collect();
    kept.reverse();
    kept
}

/// Lines that are kept.
#[derive(Default)]
struct Kept(Vec<LogLine>);

impl Sink for Kept {
    fn line(&mut self, line: LogLine) -> ControlFlow<()> {
        self.0.push(line);
        ControlFlow::Continue(())
    }

    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Lines that are handed on.
struct Told(Sender<News>);

impl Sink for Told {
    fn line(&mut self, line: LogLine) -> ControlFlow<()> {
        if self.0.send(News::File(line)).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A time as `log` takes it, in whole seconds.
fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S+0000").to_string()
}

/// `/usr/bin/log`. A debug build takes the program that the tests name.
fn program() -> Option<PathBuf> {
    let named = if cfg!(debug_assertions) { crate::system::env("DAEMONCTL_LOG") } else { None };
    named.map(PathBuf::from).or_else(|| cfg!(target_os = "macos").then(|| "/usr/bin/log".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Stream;

    #[test]
    fn the_log_gets_the_room_that_the_files_leave() {
        let line = |unit: &str, message: &str| LogLine {
            unit: unit.to_owned(),
            time: None,
            stream: Stream::Merged,
            message: message.to_owned(),
        };
        let log = || vec![line("a", "1"), line("b", "2"), line("a", "3"), line("a", "4")];
        let files = [line("a", "x"), line("c", "y")];
        let left = |limit| room(log(), &files, limit).into_iter().map(|line| line.message).collect::<String>();
        assert_eq!(left(None), "1234");
        assert_eq!(left(Some(3)), "234");
        assert_eq!(left(Some(1)), "2");
        assert_eq!(left(Some(0)), "");
    }

    #[test]
    fn times_are_told_as_log_reads_them() {
        assert_eq!(moment("2026-03-24T10:00:01.9+01:00".parse().unwrap()), "2026-03-24 09:00:01+0000");
    }
}
