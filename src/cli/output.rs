//! THE ONLY STDOUT: what commands returned, as text or JSON.
//!
//! Answers go to standard output; with `--json` so do errors, since whoever reads it reads one stream. A reader that
//! has gone away (`| head`) is no error.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::ControlFlow;

use clap::error::{ContextKind, ContextValue};
use serde_json::json;

use super::{Context, style};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::{Report, Style, View};
use crate::system::terminal::{self, Stream};

/// Prints an answer, and gives its exit code.
pub(super) fn report(report: &Report, context: &Context) -> Exit {
    let text = if context.globals.json() {
        match report.view.json() {
            serde_json::Value::Null => String::new(),
            value => format!("{}\n", style::harmless_json(&format!("{value:#}"))),
        }
    } else {
        report.view.text(&context.style)
    };
    match write(&text) {
        Ok(()) => report.exit,
        Err(error) => unwritable(&error),
    }
}

/// Prints an error, and gives its exit code.
pub(super) fn error(error: &Error, context: &Context) -> Exit {
    if context.globals.json() {
        return match write(&format!("{}\n", style::harmless_json(&format!("{:#}", error_json(error))))) {
            Ok(()) => error.exit(),
            Err(error) => unwritable(&error),
        };
    }
    let style = Style { color: terminal::wants_color(Stream::Stderr), ..context.style };
    complain(&error_text(error, &style));
    error.exit()
}

/// Prints what clap has to say: help and version, or what is wrong with the command line. Gives the exit code.
pub(super) fn usage(mut error: clap::Error) -> u8 {
    // Of the commands that sound alike, which come from the least to the most alike, the one that was meant.
    if let Some(ContextValue::Strings(alike)) = error.get(ContextKind::SuggestedSubcommand)
        && let Some(most) = alike.last().cloned()
    {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(most));
    }
    let wrong = error.use_stderr();
    if wrong && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ").trim_end_matches(MORE).trim_end();
        let told = Error::new(Exit::Usage, message).hint("`daemonctl COMMAND --help` shows how it is written");
        let _ = write(&format!("{:#}\n", error_json(&told)));
        return Exit::Usage.code();
    }
    match error.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => unwritable(&error).code(),
        _ if wrong => Exit::Usage.code(),
        _ => Exit::Done.code(),
    }
}

/// How the parser ends what it says of a wrong command line.
const MORE: &str = "For more information, try '--help'.";

/// A line that is no answer, such as a remark while a command goes on, on standard error.
pub(super) fn remark(text: &str, context: &Context) {
    if !context.globals.quiet() {
        complain(&format!("{}\n", style::harmless(text)));
    }
}

/// The answer of a command that has written what it had to say while it ran.
pub(super) struct Silence;

impl View for Silence {
    fn json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn text(&self, _: &Style) -> String {
        String::new()
    }
}

/// Standard output for a command whose answer has no end.
pub(super) struct Lines(io::BufWriter<io::StdoutLock<'static>>);

impl Lines {
    /// Opens it.
    pub(super) fn new() -> Self {
        Self(io::BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }

    /// Adds text, which is shown at the next [`flush`](Self::flush) at the latest. `Break`: nobody reads any more.
    pub(super) fn add(&mut self, text: &str) -> ControlFlow<()> {
        flow(self.0.write_all(text.as_bytes()))
    }

    /// Shows what was added.
    pub(super) fn flush(&mut self) -> ControlFlow<()> {
        flow(self.0.flush())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the result of a write, as it comes")]
fn flow(written: io::Result<()>) -> ControlFlow<()> {
    match written {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Shows a text in place of the one before, on a terminal; below it elsewhere. `Break`: nobody reads any more.
pub(super) fn redraw(text: &str) -> ControlFlow<()> {
    if terminal::is_smart(Stream::Stdout) {
        // Home; each line cleared behind its end; all below the last cleared. Clearing first would flicker.
        let drawn = text.replace('\n', "\u{1b}[K\n");
        return flow(write_all(&format!("\u{1b}[H{drawn}\u{1b}[J")));
    }
    flow(write_all(text))
}

fn write(text: &str) -> io::Result<()> {
    match write_all(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn write_all(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn unwritable(error: &io::Error) -> Exit {
    complain(&format!("error: cannot write to standard output: {error}\n"));
    Exit::Failed
}

fn complain(text: &str) {
    // When standard error is gone too there is nobody left to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn error_text(error: &Error, style: &Style) -> String {
    let mut text = String::new();
    let message = error.to_string();
    let mut lines = message.split('\n');
    let first = style::harmless(lines.next().unwrap_or_default());
    let _ = writeln!(text, "{} {first}", style::paint("error:", style::RED.bold(), style));
    for line in lines {
        let _ = writeln!(text, "{}", style::harmless(line));
    }
    for line in error.details().iter().flat_map(|detail| detail.lines()) {
        let _ = writeln!(text, "  {}", style::harmless(line));
    }
    for hint in error.hints() {
        let _ = writeln!(text, "{} {}", style::paint("hint:", style::CYAN, style), style::harmless(hint));
    }
    text
}

/// What an error is with `--json`.
pub(super) fn error_json(error: &Error) -> serde_json::Value {
    json!({
        "error": {
            "message": error.to_string(),
            "exit": error.exit(),
            "code": error.exit().code(),
            "details": error.details(),
            "hints": error.hints(),
            "manifest": error.manifest_errors().map(crate::manifest::ManifestErrors::json).unwrap_or_default(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { color: false, width: None, quiet: false };

    fn example() -> Error {
        Error::not_permitted("cannot write `/etc/x`: no").detail("line 1\nline 2").hint("run it with sudo")
    }

    #[test]
    fn an_error_is_a_message_details_and_hints() {
        assert_eq!(
            error_text(&example(), &PLAIN),
            "error: cannot write `/etc/x`: no\n  line 1\n  line 2\nhint: run it with sudo\n"
        );
        let colored = error_text(&example(), &Style { color: true, ..PLAIN });
        assert!(colored.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m cannot"), "{colored:?}");
    }

    #[test]
    fn what_a_service_wrote_is_harmless_wherever_it_stands_in_an_error() {
        let hostile = "a\u{1b}]0;b\u{7}";
        let error = Error::failed(format!("{hostile}\n{hostile}")).detail(hostile).hint(hostile);
        let text = error_text(&error, &PLAIN);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn an_error_in_json_has_its_code() {
        let json = error_json(&example());
        assert_eq!(json["error"]["code"], 7);
        assert_eq!(json["error"]["exit"], "not-permitted");
        assert_eq!(json["error"]["hints"][0], "run it with sudo");
    }
}
