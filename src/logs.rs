//! What `logs` asks for and gets, on every backend.

use std::ops::ControlFlow;

use jiff::Timestamp;
use serde::Serialize;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// The last so many lines (of each unit); None: all.
    pub lines: Option<usize>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Not after this time.
    pub until: Option<Timestamp>,
    /// Only lines that contain this text.
    pub grep: Option<String>,
    /// Go on with what is written from now on.
    pub follow: bool,
}

/// Which of its outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Both in one, or not known.
    Merged,
    /// Not the service: its manager or host about it.
    Manager,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LogLine {
    /// Which unit.
    pub unit: String,
    /// When, where the source tells.
    #[schemars(with = "Option<String>")]
    pub time: Option<Timestamp>,
    /// From where.
    pub stream: Stream,
    /// Its text, without the newline; bytes that are no UTF-8 are shown as U+FFFD.
    pub message: String,
}

/// Takes lines.
pub trait Sink {
    /// Takes one line; `Break` ends the query.
    fn line(&mut self, line: LogLine) -> ControlFlow<()>;
    /// Called where a source waits for more, so that what was buffered is shown; `Break` ends the query.
    fn idle(&mut self) -> ControlFlow<()>;
}
