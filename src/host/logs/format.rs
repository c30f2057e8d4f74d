//! What a captured line looks like in a file. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::logs::Stream;
use crate::service::LogFormat;

/// Cuts what comes from a pipe into dressed lines.
///
/// A timestamped line goes out as it comes, its beginning at once: only JSON needs a line's end before it can be written.
#[derive(Debug)]
pub struct Dresser {
    format: LogFormat,
    /// `"service":"web","instance":"blue","host":"h","stream":"stdout","message":`, made once.
    fields: String,
    /// Timestamped: the last line has begun, and has its stamp.
    mid_line: bool,
    /// JSON: a line whose end has not come yet, up to [`LONGEST`].
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
        Self { format, fields, mid_line: false, partial: Vec::new() }
    }

    /// The format.
    #[must_use]
    pub const fn format(&self) -> LogFormat {
        self.format
    }

    /// Dresses so from now on; the format before.
    pub const fn set_format(&mut self, format: LogFormat) -> LogFormat {
        std::mem::replace(&mut self.format, format)
    }

    /// A line has begun, and is out but for its end.
    #[must_use]
    pub const fn mid_line(&self) -> bool {
        self.mid_line
    }

    /// Goes on with a line that is out but for its end, or begins one.
    pub const fn set_mid_line(&mut self, mid_line: bool) {
        self.mid_line = mid_line;
    }

    /// The beginning of a line that is not out yet.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Goes on with a line that began so.
    pub fn set_partial(&mut self, partial: Vec<u8>) {
        self.partial = partial;
    }

    /// Takes what came, and appends what is to be written to `out`. `Raw` passes everything at once.
    pub fn take(&mut self, bytes: &[u8], at: Timestamp, out: &mut Vec<u8>) {
        match self.format {
            LogFormat::Raw => out.extend_from_slice(bytes),
            LogFormat::Timestamped => self.stamp_lines(bytes, at, out),
            LogFormat::Json => self.json_lines(bytes, at, out),
        }
    }

    fn stamp_lines(&mut self, bytes: &[u8], at: Timestamp, out: &mut Vec<u8>) {
        let stamp = stamp(at) + " ";
        out.reserve(bytes.len() + bytes.len() / 2);
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if !self.mid_line {
                out.extend_from_slice(stamp.as_bytes());
            }
            out.extend_from_slice(bytes.get(begin..=end).unwrap_or_default());
            self.mid_line = false;
            begin = end + 1;
        }
        let rest = bytes.get(begin..).unwrap_or_default();
        if !rest.is_empty() {
            if !self.mid_line {
                out.extend_from_slice(stamp.as_bytes());
            }
            out.extend_from_slice(rest);
            self.mid_line = true;
        }
    }

    fn json_lines(&mut self, bytes: &[u8], at: Timestamp, out: &mut Vec<u8>) {
        let stamp = stamp(at);
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = bytes.get(begin..end).unwrap_or_default();
            if self.partial.is_empty() {
                self.json(line, &stamp, out);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.json(&whole, &stamp, out);
            }
            begin = end + 1;
        }
        self.partial.extend_from_slice(bytes.get(begin..).unwrap_or_default());
        if self.partial.len() > LONGEST {
            self.flush(at, out);
        }
    }

    /// A last line without its newline.
    pub fn flush(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        if !self.partial.is_empty() {
            let whole = std::mem::take(&mut self.partial);
            self.json(&whole, &stamp(at), out);
        }
        if std::mem::take(&mut self.mid_line) {
            out.push(b'\n');
        }
    }

    fn json(&self, line: &[u8], stamp: &str, out: &mut Vec<u8>) {
        let text = crate::host::sys::text_of(line.strip_suffix(b"\r").unwrap_or(line));
        for part in ["{\"timestamp\":\"", stamp, "\","] {
            out.extend_from_slice(part.as_bytes());
        }
        if let Some(level) = level(&text) {
            for part in ["\"level\":\"", level, "\","] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(self.fields.as_bytes());
        // Into memory, a text cannot fail.
        let _ = serde_json::to_writer(&mut *out, text.as_ref());
        out.extend_from_slice(b"}\n");
    }
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
    fn lines_are_stamped_where_they_begin() {
        let mut dresser = Dresser::new(LogFormat::Timestamped, "web", None, "h", Stream::Merged);
        let mut out = Vec::new();
        dresser.take(b"one\ntw", at(), &mut out);
        assert_eq!(out, b"2026-01-02T03:04:05.678Z one\n2026-01-02T03:04:05.678Z tw", "its beginning is there at once");
        assert!(dresser.mid_line());
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
        // Windows has another idea of what is no UTF-8: its consoles'.
        #[cfg(unix)]
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
        let mut dresser = Dresser::new(LogFormat::Json, "web", None, "h", Stream::Merged);
        let mut out = Vec::new();
        dresser.take(&vec![b'x'; LONGEST], at(), &mut out);
        assert!(out.is_empty());
        dresser.take(b"x", at(), &mut out);
        assert!(out.len() > LONGEST);
        assert!(dresser.partial.is_empty());
    }
}
