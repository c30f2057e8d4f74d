//! A loaded service, and what becomes of it: the rules of respawning, without a process or a clock of their own.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use crate::definition::{Definition, KeepAlive};

/// Why a process is started, as `immediate reason` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `RunAtLoad`.
    Speculative,
    /// `KeepAlive`.
    Inefficient,
    /// A condition of `KeepAlive`.
    Semaphore,
    /// A person, or a timer.
    Demand,
}

impl Reason {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Speculative => "speculative",
            Self::Inefficient => "inefficient",
            Self::Semaphore => "semaphore",
            Self::Demand => "non-ipc demand",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(i32),
    Signal(i32),
}

impl Ending {
    /// As wait(2) has it.
    pub(crate) const fn raw(self) -> i32 {
        match self {
            Self::Code(code) => code << 8,
            Self::Signal(signal) => signal,
        }
    }

    /// The signals of a crash; a kill or a polite end is none.
    pub(crate) const fn is_crash(self) -> bool {
        matches!(self, Self::Signal(3..=8 | 10..=12))
    }
}

/// What shall be when the process that is being ended has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// `bootout`: the service is forgotten.
    Forget,
    /// `kickstart -k`: a new one.
    Spawn,
    /// `stop`: what `KeepAlive` says.
    Rules,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Down,
    /// `spawn scheduled`.
    Scheduled {
        at: Instant,
        reason: Reason,
    },
    Up {
        pid: i32,
    },
    /// It was told to end by this signal; at that time it is killed.
    Ending {
        pid: i32,
        signal: i32,
        kill_at: Option<Instant>,
        then: Then,
    },
}

/// A loaded service.
pub(crate) struct Job {
    pub(crate) definition: Definition,
    /// Where the definition was read.
    pub(crate) path: PathBuf,
    pub(crate) phase: Phase,
    pub(crate) runs: u64,
    pub(crate) crashes: u64,
    pub(crate) last: Option<Ending>,
    /// Why the process could not be set up.
    pub(crate) trouble: Option<String>,
    pub(crate) started: Option<Instant>,
    pub(crate) reason: Option<Reason>,
    /// Spawns that nobody demanded are held back: its session was not the domain's when it was loaded.
    pub(crate) held: bool,
    /// The spawn that is held back.
    pub(crate) pended: Option<Reason>,
    pub(crate) next_interval: Option<Instant>,
    /// `kickstart`s that wait for the next process, and whether each wants its number.
    pub(crate) kicks: Vec<(UnixStream, bool)>,
}

impl Job {
    pub(crate) fn new(definition: Definition, path: PathBuf) -> Self {
        Self {
            definition,
            path,
            phase: Phase::Down,
            runs: 0,
            crashes: 0,
            last: None,
            trouble: None,
            started: None,
            reason: None,
            held: false,
            pended: None,
            next_interval: None,
            kicks: Vec::new(),
        }
    }

    pub(crate) const fn pid(&self) -> Option<i32> {
        match self.phase {
            Phase::Up { pid } | Phase::Ending { pid, .. } => Some(pid),
            Phase::Down | Phase::Scheduled { .. } => None,
        }
    }

    /// Whether and why it is started again after this end.
    pub(crate) fn respawns(&self, ending: Ending) -> Option<Reason> {
        if self.definition.once {
            return None;
        }
        match self.definition.keep_alive {
            KeepAlive::Never => None,
            KeepAlive::Always => Some(Reason::Inefficient),
            KeepAlive::When { successful_exit, crashed } => {
                let by_exit = successful_exit.is_some_and(|wanted| wanted == (ending == Ending::Code(0)));
                let by_crash = crashed.is_some_and(|wanted| wanted == ending.is_crash());
                (by_exit || by_crash).then_some(Reason::Semaphore)
            }
        }
    }
}
