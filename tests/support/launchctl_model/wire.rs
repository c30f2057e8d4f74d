//! What `launchctl` and its daemon say to each other: a line of JSON each way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::codes;

/// What was called.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) args: Vec<String>,
    /// Relative paths are meant from here.
    pub(crate) cwd: PathBuf,
    /// The account that a test plays.
    pub(crate) uid: Option<u32>,
    /// Whose session it is called in (`asuser`).
    pub(crate) session_of: Option<u32>,
}

/// What it prints and exits with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn done() -> Self {
        Self::default()
    }

    pub(crate) fn out(text: impl Into<String>) -> Self {
        Self { out: text.into(), ..Self::default() }
    }

    /// Exits so, with these words on standard error.
    pub(crate) fn fails(code: i32, err: impl Into<String>) -> Self {
        let mut err = err.into();
        if !err.is_empty() && !err.ends_with('\n') {
            err.push('\n');
        }
        Self { code, err, out: String::new() }
    }

    /// `Bootstrap failed: 5: Input/output error`.
    pub(crate) fn verb_failed(verb: &str, code: i32) -> Self {
        Self::fails(code, format!("{verb} failed: {code}: {}", codes::words(code)))
    }

    /// What the model does not know must not look as if it had been done.
    pub(crate) fn not_modelled(what: &str) -> Self {
        Self::fails(codes::NOT_MODELLED, format!("launchctl model: {what} is not modelled"))
    }
}

/// One line of JSON.
pub(crate) fn send(mut stream: &UnixStream, value: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line)
}

pub(crate) fn receive<T: for<'de> Deserialize<'de>>(stream: &UnixStream) -> std::io::Result<T> {
    let mut line = String::new();
    if BufReader::new(stream).read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}
