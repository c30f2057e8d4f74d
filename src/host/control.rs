//! What is said over the control socket: one request a connection, on one line of JSON; answers are lines of JSON, the last
//! of which is [`Answer::Done`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::exit::Exit;
use crate::layout::Layout;
use crate::report::{Effect, State};

/// The protocol's version.
pub const VERSION: u32 = 1;

/// A request longer than this is not read: some hundred thousand names of units.
pub const LONGEST: usize = 1024 * 1024;

/// Where the socket lies.
#[must_use]
pub fn socket(layout: &Layout) -> PathBuf {
    layout.runtime.join("control.sock")
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// Who are you?
    Hello,
    /// Read the specs again: new ones are known from then on, changed ones count from the next start, those of units that
    /// are gone and at rest are forgotten.
    Load,
    /// Start, and answer when each is up and ready, or will not be.
    Start(Units),
    /// Stop, and answer when nothing is left of each.
    Stop(Units),
    /// Both.
    Restart(Units),
    /// Have the reload action carried out.
    Reload(Units),
    /// Become this program, in place: no service notices. The answer comes just before; who connects from then on is
    /// answered by the new one.
    Reexec {
        /// Its path.
        program: String,
    },
    /// End the supervisor.
    Shutdown {
        /// With all its services; else they live on, and the next supervisor takes them over.
        stop: bool,
    },
}

/// Names of units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// In dependency order.
    pub units: Vec<String>,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// To `Hello`.
    Hello {
        /// The supervisor's process id.
        pid: u32,
        /// daemonctl's version.
        daemonctl: String,
        /// Which build of it; those before 0.1.0 did not say.
        #[serde(default)]
        build: String,
    },
    /// Something goes on.
    Waiting {
        /// About which unit.
        unit: String,
        /// What is waited for.
        what: String,
    },
    /// What became of a unit.
    Unit {
        /// Which.
        unit: String,
        /// What was done, where it succeeded.
        effect: Option<Effect>,
        /// Else why not.
        error: Option<Trouble>,
        /// Its state now.
        state: State,
        /// What the operator should know though it was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The request could not be met.
    Refused(Trouble),
    /// That is all.
    Done,
}

/// An error on its way through a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The exit code it means.
    pub exit: u8,
}

impl Trouble {
    /// An ordinary failure.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit: Exit::Failed.code() }
    }
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        Self { message: error.to_string(), hints: error.hints().to_vec(), exit: error.exit().code() }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let exit = Exit::ALL.into_iter().find(|exit| exit.code() == trouble.exit).unwrap_or(Exit::Failed);
        trouble.hints.into_iter().fold(Self::new(exit, trouble.message), Self::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_flat_object() {
        let request = Request { version: VERSION, ask: Ask::Stop(Units { units: vec!["web".into()] }) };
        let text = serde_json::to_string(&request).expect("JSON");
        assert_eq!(text, r#"{"version":1,"ask":"stop","units":["web"]}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).expect("the same"), request);
    }

    #[test]
    fn an_error_keeps_its_exit_code_and_hints() {
        let error = Error::timed_out("too slow").hint("be quick");
        let back = Error::from(Trouble::from(&error));
        assert_eq!((back.exit(), back.to_string(), back.hints().len()), (Exit::TimedOut, "too slow".into(), 1));
    }
}
