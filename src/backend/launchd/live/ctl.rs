//! The one seam to launchd: a call of `launchctl`, under a deadline.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::system::commands::Command;

/// launchctl answers in milliseconds, or, now and then, never.
const CALL: Duration = Duration::from_secs(10);

/// What a call answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Calls it.
pub(super) trait Ctl: Send + Sync {
    /// An error: it could not be run, or did not answer in time (exit code 8). Any exit code is an answer.
    fn call(&self, words: &[&str]) -> Result<Answer>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Launchctl {
    program: PathBuf,
    limit: Duration,
}

impl Launchctl {
    /// `/bin/launchctl`. A debug build takes the program that the tests name, and their deadline.
    pub(super) fn find() -> Result<Self> {
        let named = |name: &str| if cfg!(debug_assertions) { crate::system::env(name) } else { None };
        let limit = named("DAEMONCTL_LAUNCHCTL_DEADLINE").and_then(|millis| millis.parse().ok());
        let limit = limit.map_or(CALL, Duration::from_millis);
        if let Some(program) = named("DAEMONCTL_LAUNCHCTL") {
            return Ok(Self { program: program.into(), limit });
        }
        if cfg!(target_os = "macos") {
            return Ok(Self { program: "/bin/launchctl".into(), limit });
        }
        Err(Error::failed("launchd runs on macOS only").hint("`daemonctl render --target launchd` works everywhere"))
    }
}

impl Ctl for Launchctl {
    fn call(&self, words: &[&str]) -> Result<Answer> {
        let ended = Command::new(&self.program).args(words).limit(self.limit).run().map_err(|error| {
            if error.exit() == Exit::TimedOut {
                return Error::timed_out(format!(
                    "`launchctl {}` did not answer within {}",
                    words.join(" "),
                    crate::host::words::duration(self.limit)
                ));
            }
            error
        })?;
        Ok(Answer {
            code: ended.code.unwrap_or(-1),
            stdout: ended.text(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }
}
