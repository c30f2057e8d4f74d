//! What the output streams are connected to.

use std::io::{IsTerminal, Write};

use crate::error::{IoContext, Result};

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

/// Asks for a line that is not shown, on the terminal.
pub fn hidden_line(prompt: &str) -> Result<String> {
    let doing = "ask on the terminal";
    let mut err = std::io::stderr();
    write!(err, "{prompt}").and_then(|()| err.flush()).doing(doing)?;
    let shown = echo::off().doing(doing)?;
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    echo::restore(&shown).doing(doing)?;
    // The newline that was typed was not shown either.
    writeln!(err).doing(doing)?;
    read.doing(doing)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

#[cfg(unix)]
mod echo {
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

    /// Switches it off; what was before.
    pub(super) fn off() -> std::io::Result<Termios> {
        let before = tcgetattr(std::io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(before)
    }

    pub(super) fn restore(before: &Termios) -> std::io::Result<()> {
        Ok(tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, before)?)
    }
}

#[cfg(windows)]
mod echo {
    use std::os::windows::io::AsRawHandle;

    use windows_sys::Win32::System::Console::{ENABLE_ECHO_INPUT, GetConsoleMode, SetConsoleMode};

    /// Switches it off; what was before.
    pub(super) fn off() -> std::io::Result<u32> {
        let (stdin, mut before) = (std::io::stdin().as_raw_handle(), 0);
        // SAFETY: the handle is that of this process's standard input, `before` is valid for writing.
        if unsafe { GetConsoleMode(stdin, &raw mut before) } == 0 {
            return Err(std::io::Error::last_os_error());
        }
        restore(&(before & !ENABLE_ECHO_INPUT))?;
        Ok(before)
    }

    pub(super) fn restore(before: &u32) -> std::io::Result<()> {
        // SAFETY: the handle is that of this process's standard input.
        match unsafe { SetConsoleMode(std::io::stdin().as_raw_handle(), *before) } {
            0 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

#[cfg(not(any(unix, windows)))]
mod echo {
    pub(super) fn off() -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    pub(super) fn restore((): &()) -> std::io::Result<()> {
        Ok(())
    }
}
