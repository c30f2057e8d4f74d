//! Entries of macOS' unified log, as `log show` and `log stream` print them with `--style ndjson`: an object a line, and
//! lines around them that are none.
//!
//! What a service logs itself bears its process id, which comes and goes; whose it was is told by launchd's own entries:
//! `[gui/501/com.example.web [4711]:] Successfully spawned web[4711] because speculative`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::logs::{LogLine, LogQuery, Stream};

/// launchd, of the machine and of each user.
const LAUNCHD: u32 = 1;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backend::launchd) struct Entry {
    pub(in crate::backend::launchd) time: Timestamp,
    pid: u32,
    message: String,
}

/// Reads a line; None: it is no entry (a heading, an activity, the count at the end).
pub(in crate::backend::launchd) fn entry(line: &str) -> Option<Entry> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    // Older systems leave the kind out.
    text("eventType").is_none_or(|kind| kind == "logEvent").then_some(())?;
    Some(Entry {
        time: Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f%z", text("timestamp")?).ok()?,
        pid: value.get("processID")?.as_u64()?.try_into().ok()?,
        message: text("eventMessage")?.trim_end_matches('\n').to_owned(),
    })
}

/// Of launchd's words about a job: its target, its process, and what is said.
fn about(message: &str) -> Option<(&str, Option<u32>, &str)> {
    let (head, words) = message.strip_prefix('[')?.split_once(":]")?;
    let (target, pid) = match head.split_once(" [") {
        Some((target, pid)) => (target, pid.strip_suffix(']')?.parse().ok()),
        None => (head, None),
    };
    Some((target, pid, words.trim_start()))
}

/// Whose lines are looked for.
#[derive(Debug, Clone, Default)]
pub(in crate::backend::launchd) struct Wanted {
    /// `gui/501/com.example.web`, and the unit that it is.
    targets: BTreeMap<String, String>,
    /// Processes, the unit, and since when it is theirs.
    pids: BTreeMap<u32, (String, Option<Timestamp>)>,
    programs: Vec<String>,
}

impl Wanted {
    /// One more unit: its job wherever it may be, its program, and its process of now.
    pub(in crate::backend::launchd) fn add(&mut self, unit: &str, targets: &[String], program: &str, pid: Option<u32>) {
        self.targets.extend(targets.iter().map(|target| (target.clone(), unit.to_owned())));
        self.programs.push(program.to_owned());
        self.pids.extend(pid.map(|pid| (pid, (unit.to_owned(), None))));
    }

    /// The predicate that `log` finds their entries by, and others', which [`Wanted::lines`] leaves out: of an interpreter's
    /// programs only those of the process of now are found.
    pub(in crate::backend::launchd) fn predicate(&self) -> String {
        let names = self.targets.keys().map(|target| format!("eventMessage CONTAINS {}", quoted(target)));
        let mut parts = vec![format!("(processID == {LAUNCHD} AND ({}))", names.collect::<Vec<_>>().join(" OR "))];
        parts.extend(self.programs.iter().map(|program| format!("processImagePath == {}", quoted(program))));
        parts.extend(self.pids.keys().map(|pid| format!("processID == {pid}")));
        parts.join(" OR ")
    }

    /// Whose processes there are, by what launchd says of them.
    pub(in crate::backend::launchd) fn learn(&mut self, entry: &Entry) {
        let Some((target, Some(pid), words)) = about(&entry.message).filter(|_| entry.pid == LAUNCHD) else { return };
        if let Some(unit) = self.targets.get(target) {
            // Ids come round: what is said before it was spawned was said by another.
            let since = words.starts_with("Successfully spawned").then_some(entry.time);
            let known = self.pids.entry(pid).or_insert_with(|| (unit.clone(), since));
            known.1 = known.1.or(since);
        }
    }

    /// The line that an entry is; None: it is nobody's that is asked for.
    pub(in crate::backend::launchd) fn line(&self, entry: &Entry) -> Option<LogLine> {
        let (unit, stream, message) = if entry.pid == LAUNCHD {
            let (target, _, words) = about(&entry.message)?;
            (self.targets.get(target)?, Stream::Manager, words)
        } else {
            let (unit, since) = self.pids.get(&entry.pid)?;
            since.is_none_or(|since| entry.time >= since).then_some(())?;
            (unit, Stream::Merged, entry.message.as_str())
        };
        Some(LogLine { unit: unit.clone(), time: Some(entry.time), stream, message: message.to_owned() })
    }

    /// The lines of what `log show` printed that a query asks for, but for its number of them.
    pub(in crate::backend::launchd) fn lines(&mut self, text: &str, query: &LogQuery) -> Vec<LogLine> {
        let mut entries: Vec<Entry> = text.lines().filter_map(entry).collect();
        entries.sort_by_key(|entry| entry.time);
        for entry in &entries {
            self.learn(entry);
        }
        entries.iter().filter_map(|entry| self.line(entry)).filter(|line| fits(line, query)).collect()
    }
}

/// Whether a line is asked for.
pub(in crate::backend::launchd) fn fits(line: &LogLine, query: &LogQuery) -> bool {
    line.time.is_none_or(|time| {
        query.since.is_none_or(|since| time >= since) && query.until.is_none_or(|until| time <= until)
    }) && query.grep.as_ref().is_none_or(|text| line.message.contains(text.as_str()))
}

/// A text of a predicate.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = include_str!("fixtures/unified-show.ndjson");

    fn wanted() -> Wanted {
        let mut wanted = Wanted::default();
        let targets = ["gui/501/com.example.web", "user/501/com.example.web"].map(str::to_owned);
        wanted.add("web", &targets, "/opt/web/bin/web", Some(4800));
        wanted
    }

    fn shown(query: &LogQuery) -> Vec<(Stream, String)> {
        wanted().lines(SHOWN, query).into_iter().map(|line| (line.stream, line.message)).collect()
    }

    #[test]
    fn lines_are_told_from_those_of_others() {
        let all = shown(&LogQuery::default());
        let expected = [
            (Stream::Manager, "Successfully spawned web[4711] because speculative"),
            (Stream::Merged, "listening on 8080"),
            (Stream::Manager, "exited due to SIGSEGV | sent by exc handler[0]"),
            (Stream::Manager, "Successfully spawned web[4800] because inefficient"),
            (Stream::Merged, "listening on 8080 again,\nin two lines with a \"quotation\""),
        ];
        assert_eq!(all, expected.map(|(stream, message)| (stream, message.to_owned())));
    }

    #[test]
    fn times_and_texts_are_looked_for() {
        let query = LogQuery { grep: Some("listening".to_owned()), ..LogQuery::default() };
        assert_eq!(shown(&query).len(), 2);
        let since = "2026-03-24T17:00:02.5Z".parse().ok();
        assert_eq!(shown(&LogQuery { since, ..query.clone() }).len(), 1);
        assert_eq!(shown(&LogQuery { until: since, ..query }).len(), 1);
    }

    #[test]
    fn a_line_that_is_no_entry_is_none() {
        for line in [
            "",
            "Filtering the log data using \"processID == 1\"",
            "Timestamp                       Thread     Type",
            "{\"count\":5,\"finished\":1}",
            "{\"eventType\":\"activityCreateEvent\",\"eventMessage\":\"x\",\"processID\":7,\"timestamp\":\"2026-03-24 10:00:00.000000-0700\"}",
            "{\"eventMessage\": TRUNCATED",
            "{\"eventMessage\":\"x\",\"processID\":7,\"timestamp\":\"soon\"}",
        ] {
            assert_eq!(entry(line), None, "{line}");
        }
    }

    #[test]
    fn the_predicate_quotes_what_it_is_given() {
        assert_eq!(
            wanted().predicate(),
            "(processID == 1 AND (eventMessage CONTAINS \"gui/501/com.example.web\" OR eventMessage CONTAINS \
             \"user/501/com.example.web\")) OR processImagePath == \"/opt/web/bin/web\" OR processID == 4800"
        );
        assert_eq!(quoted(r#"a "b\c"#), r#""a \"b\\c""#);
    }

    #[test]
    fn a_number_of_another_process_is_not_taken_for_it() {
        let mut wanted = wanted();
        let at = |second: i64, pid: u32, message: &str| Entry {
            time: Timestamp::from_second(second).unwrap(),
            pid,
            message: message.to_owned(),
        };
        wanted.learn(&at(100, 1, "[gui/501/com.example.web [77]:] Successfully spawned web[77] because speculative"));
        wanted.learn(&at(100, 9, "[gui/501/com.example.web [88]:] Successfully spawned web[88] because I say so"));
        wanted.learn(&at(
            100,
            1,
            "[gui/501/com.example.website [99]:] Successfully spawned web[99] because ipc (mach)",
        ));
        assert!(wanted.line(&at(99, 77, "before it was ours")).is_none());
        assert!(wanted.line(&at(101, 77, "hello")).is_some());
        assert!(wanted.line(&at(101, 88, "an impostor's")).is_none());
        assert!(wanted.line(&at(101, 99, "another label's")).is_none());
        assert!(wanted.line(&at(101, 1, "[user/501:] service inactive: com.example.web")).is_none());
    }
}
