//! Commands: run without a shell, with an end in sight.
//!
//! Both outputs are read while the command runs, so it can write as much as it likes. A command that takes too long is
//! killed with its whole process group. What it left behind in the background does not hold us up: once the
//! command itself has ended, what is in the pipes is read and no more is waited for.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::machine;
use crate::error::{Error, IoContext, Result};

#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
use portable as sys;
#[cfg(unix)]
use unix as sys;

/// What a command prints beyond this is read and dropped, for each of its outputs.
const MAX_OUTPUT: usize = 64 * 1024 * 1024;

/// A command to run.
#[derive(Debug)]
pub struct Command {
    inner: std::process::Command,
    words: Vec<OsString>,
    stdin: Vec<u8>,
    limit: Duration,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal's number, if one ended it.
    pub signal: Option<i32>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained about.
    pub stderr: Vec<u8>,
}

impl Ended {
    /// Whether it exited with 0.
    #[must_use]
    pub const fn success(&self) -> bool {
        matches!(self.code, Some(0))
    }

    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// In words: "exited with code 3", "was killed by signal 9".
    #[must_use]
    pub fn reason(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        }
    }
}

impl Command {
    /// A program, absolute or looked for: as root in the system's own folders first, whatever PATH the shell had that we
    /// come from, else in PATH. It gets our environment, an empty standard input, and a minute.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        Self {
            inner: std::process::Command::new(
                machine::own_program(program).as_ref().map_or(program, |path| path.as_os_str()),
            ),
            words: vec![program.to_owned()],
            stdin: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }

    /// Program and arguments. None: no program.
    #[must_use]
    pub fn from_argv(argv: &[impl AsRef<OsStr>]) -> Option<Self> {
        let (program, arguments) = argv.split_first()?;
        Some(Self::new(program).args(arguments))
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.inner.arg(argument.as_ref());
        self.words.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = S>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// What it reads.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.inner.env_remove(name);
        self
    }

    /// Takes every variable away that was there so far; those that follow are set.
    #[must_use]
    pub fn clean_env(mut self) -> Self {
        self.inner.env_clear();
        self
    }

    /// Where it runs.
    #[must_use]
    pub fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.inner.current_dir(folder);
        self
    }

    /// After so long it is killed.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end. An error: it could not be run, or took too long; any exit code is an answer.
    pub fn run(mut self) -> Result<Ended> {
        let shown = self.shown();
        let until = Instant::now() + self.limit;
        match sys::run(&mut self.inner, std::mem::take(&mut self.stdin), until) {
            Ok(Some(ended)) => Ok(ended),
            Ok(None) => {
                Err(Error::timed_out(format!("`{shown}` was killed: it took longer than {}", human(self.limit))))
            }
            Err(error) => Err(self.not_run(error)),
        }
    }

    /// As [`run`](Self::run), and an exit code other than 0 is an error with what it complained about.
    pub fn check(self) -> Result<Ended> {
        let shown = self.shown();
        let ended = self.run()?;
        if ended.success() {
            return Ok(ended);
        }
        let mut error = Error::failed(format!("`{shown}` {}", ended.reason()));
        let complaint = if ended.stderr.is_empty() { &ended.stdout } else { &ended.stderr };
        let complaint = String::from_utf8_lossy(complaint);
        if !complaint.trim().is_empty() {
            error = error.detail(complaint.trim_end());
        }
        Err(error)
    }

    fn not_run(&self, error: std::io::Error) -> Error {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let folder = self.inner.get_current_dir().map(PathBuf::from);
        let failed = Err::<(), _>(error).doing(format_args!("run `{}`", self.shown()));
        let Err(failed) = failed else { return Error::failed("cannot run a command") };
        match folder {
            Some(folder) if missing && !folder.is_dir() => {
                failed.hint(format!("the folder `{}` does not exist", folder.display()))
            }
            _ => failed,
        }
    }

    fn shown(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }
}

fn human(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
