//! What the output streams are connected to.

use std::io::IsTerminal;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Whether it is a terminal that understands cursor movements.
#[must_use]
pub fn is_smart(stream: Stream) -> bool {
    is_terminal(stream) && super::env("TERM").is_none_or(|term| term != "dumb")
}

/// Columns; None: no terminal.
#[must_use]
pub fn width(stream: Stream) -> Option<usize> {
    if !is_terminal(stream) {
        return None;
    }
    let size = match stream {
        Stream::Stdout => terminal_size::terminal_size_of(std::io::stdout()),
        Stream::Stderr => terminal_size::terminal_size_of(std::io::stderr()),
    };
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

/// Whether colours are wanted there: a terminal, and neither `NO_COLOR` nor `TERM=dumb`; `CLICOLOR_FORCE` wins over
/// the terminal.
#[must_use]
pub fn wants_color(stream: Stream) -> bool {
    let set = |name: &str| super::env(name).is_some_and(|value| !value.is_empty());
    if set("NO_COLOR") {
        return false;
    }
    super::env("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") || is_smart(stream)
}

fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Stdout => std::io::stdout().is_terminal(),
        Stream::Stderr => std::io::stderr().is_terminal(),
    }
}
