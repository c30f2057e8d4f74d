//! What a captured line looks like in a file. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::logs::Stream;
use crate::service::LogFormat;

/// Cuts what comes from a pipe into dressed lines.
#[derive(Debug)]
pub struct Dresser {
    format: LogFormat,
    /// `"service":"web","instance":"blue","host":"h","stream":"stdout","message":`, made once.
    fields: String,
    /// A line whose end has not come yet, up to [`LONGEST`].
    partial: Vec<u8>,
}

/// A line longer than this is cut: nobody's memory is worth more.
pub const LONGEST: usize = 64 * 1024;

impl Dresser {
    /// For one stream of a unit.
    #[must_use]
    pub fn new(format: LogFormat, service: &str, instance: Option<&str>, host: &str, stream: Stream) -> Self {
        let stream = match stream {
            Stream::Stderr => "stderr",
            Stream::Stdout | Stream::Merged | Stream::Manager => "stdout",
        };
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let mut fields = format!("\"service\":{},", text(service));
        if let Some(instance) = instance {
            let _ = write!(fields, "\"instance\":{},", text(instance));
        }
        let _ = write!(fields, "\"host\":{},\"stream\":\"{stream}\",\"message\":", text(host));
        Self { format, fields, partial: Vec::new() }
    }

    /// Takes what came, and appends what is to be written to `out`. `Raw` passes everything at once.
    pub fn take(&mut self, mut bytes: &[u8], at: Timestamp, out: &mut Vec<u8>) {
        if self.format == LogFormat::Raw {
            return out.extend_from_slice(bytes);
        }
        while let Some(end) = memchr(bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.partial.is_empty() {
                self.line(line, at, out);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, at, out);
                whole.clear();
                self.partial = whole;
            }
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() > LONGEST {
            self.flush(at, out);
        }
    }

    /// The beginning of a line, for who goes on with it.
    pub fn take_partial(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    /// Goes on with a line that began so.
    #[must_use]
    pub fn after(mut self, partial: Vec<u8>) -> Self {
        self.partial = partial;
        self
    }

    /// A last line without its newline.
    pub fn flush(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        if !self.partial.is_empty() {
            let whole = std::mem::take(&mut self.partial);
            self.line(&whole, at, out);
        }
    }

    fn line(&self, line: &[u8], at: Timestamp, out: &mut Vec<u8>) {
        match self.format {
            LogFormat::Raw => out.extend_from_slice(line),
            LogFormat::Timestamped => {
                out.extend_from_slice(stamp(at).as_bytes());
                out.push(b' ');
                out.extend_from_slice(line);
            }
            LogFormat::Json => {
                let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
                out.extend_from_slice(format!("{{\"timestamp\":\"{}\",", stamp(at)).as_bytes());
                if let Some(level) = level(&text) {
                    out.extend_from_slice(format!("\"level\":\"{level}\",").as_bytes());
                }
                out.extend_from_slice(self.fields.as_bytes());
                out.extend_from_slice(serde_json::Value::from(text.as_ref()).to_string().as_bytes());
                out.push(b'}');
            }
        }
        out.push(b'\n');
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// RFC 3339 in UTC, to the millisecond.
#[must_use]
pub fn stamp(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The level that a line names among its first words.
fn level(line: &str) -> Option<&'static str> {
    const LEVELS: [(&str, &str); 12] = [
        ("trace", "trace"),
        ("debug", "debug"),
        ("info", "info"),
        ("notice", "info"),
        ("warn", "warn"),
        ("warning", "warn"),
        ("error", "error"),
        ("err", "error"),
        ("critical", "error"),
        ("crit", "error"),
        ("fatal", "error"),
        ("panic", "error"),
    ];
    line.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .take(6)
        .find_map(|word| LEVELS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, level)| *level))
}

/// One line of a file taken apart again: its time and stream where it tells, and its text.
#[must_use]
pub fn undress(line: &str) -> (Option<Timestamp>, Stream, String) {
    if line.starts_with("{\"timestamp\":")
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(line)
        && let Some(message) = value["message"].as_str()
    {
        let stream = if value["stream"] == "stderr" { Stream::Stderr } else { Stream::Stdout };
        let time = value["timestamp"].as_str().and_then(|time| time.parse().ok());
        return (time, stream, message.to_owned());
    }
    if let Some((first, rest)) = line.split_once(' ')
        && first.len() >= 20
        && first.ends_with('Z')
        && let Ok(time) = first.parse()
    {
        return (Some(time), Stream::Merged, rest.to_owned());
    }
    (None, Stream::Merged, line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-01-02T03:04:05.678Z".parse().expect("a time")
    }

    #[test]
    fn lines_are_stamped_and_halves_wait_for_their_end() {
        let mut dresser = Dresser::new(LogFormat::Timestamped, "web", None, "h", Stream::Merged);
        let mut out = Vec::new();
        dresser.take(b"one\ntw", at(), &mut out);
        assert_eq!(out, b"2026-01-02T03:04:05.678Z one\n");
        dresser.take(b"o\n\nend", at(), &mut out);
        dresser.flush(at(), &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        let messages: Vec<_> = text.lines().map(|line| undress(line).2).collect();
        assert_eq!(messages, ["one", "two", "", "end"]);
        assert_eq!(undress(text.lines().next().expect("a line")).0, Some(at()));
    }

    #[test]
    fn json_lines_say_who_and_what() {
        let mut dresser = Dresser::new(LogFormat::Json, "web", Some("blue"), "h", Stream::Stderr);
        let mut out = Vec::new();
        dresser.take(b"2026 [WARN] a \"b\" \xff\n", at(), &mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["instance"], "blue");
        assert_eq!(value["stream"], "stderr");
        assert_eq!(value["message"], "2026 [WARN] a \"b\" \u{fffd}");
        let line = String::from_utf8(out).expect("UTF-8");
        assert_eq!(undress(line.trim_end()).1, Stream::Stderr);
    }

    #[test]
    fn raw_is_untouched() {
        let mut dresser = Dresser::new(LogFormat::Raw, "web", None, "h", Stream::Merged);
        let mut out = Vec::new();
        dresser.take(b"\xff\0half", at(), &mut out);
        assert_eq!(out, b"\xff\0half");
    }

    #[test]
    fn a_line_without_end_is_cut_and_not_kept_for_ever() {
        let mut dresser = Dresser::new(LogFormat::Timestamped, "web", None, "h", Stream::Merged);
        let mut out = Vec::new();
        dresser.take(&vec![b'x'; LONGEST + 1], at(), &mut out);
        assert!(out.len() > LONGEST);
        assert!(dresser.partial.is_empty());
    }
}
