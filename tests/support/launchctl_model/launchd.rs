//! launchd's state: the loaded services, the machine as the knobs have it, and what a test may look at afterwards.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Instant;

use serde_json::{Value, json};

use crate::codes;
use crate::daemon::Event;
use crate::faults::Fault;
use crate::job::Job;
use crate::knobs::Knobs;
use crate::target::{self, Domain, Key, Target};
use crate::wire::Answer;

pub(crate) struct Launchd {
    /// Its own: the socket, the override data base.
    pub(crate) folder: PathBuf,
    /// This program, which is the trampoline too.
    pub(crate) program: PathBuf,
    pub(crate) knobs: Knobs,
    pub(crate) faults: Vec<Fault>,
    pub(crate) jobs: BTreeMap<Key, Job>,
    /// `setenv`.
    pub(crate) environment: BTreeMap<(Domain, String), String>,
    /// What happened, in order.
    pub(crate) history: Vec<Value>,
    /// Callers that never get an answer.
    pub(crate) hung: Vec<UnixStream>,
    pub(crate) events: Sender<Event>,
    /// Tells the reaper that there is somebody to wait for.
    pub(crate) spawned: Sender<()>,
    pub(crate) began: Instant,
}

impl Launchd {
    pub(crate) fn new(folder: &Path, events: Sender<Event>, spawned: Sender<()>) -> std::io::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            program: std::env::current_exe()?,
            knobs: Knobs::default(),
            faults: Vec::new(),
            jobs: BTreeMap::new(),
            environment: BTreeMap::new(),
            history: Vec::new(),
            hung: Vec::new(),
            events,
            spawned,
            began: Instant::now(),
        })
    }

    /// A line of history, with the milliseconds since the model began, and the microsecond of the clock.
    pub(crate) fn note(&mut self, what: &str, more: &Value) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0);
        let mut line = json!({ "what": what, "ms": ms, "at": jiff::Timestamp::now().as_microsecond() });
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        self.history.push(line);
    }

    pub(crate) fn is_there(&self, domain: Domain) -> bool {
        match domain {
            Domain::System => true,
            Domain::User(uid) => self.knobs.user.contains(&uid),
            Domain::Gui(uid) => self.knobs.gui.contains(&uid),
        }
    }

    /// A loaded service, or the answer that there is none.
    pub(crate) fn find(&self, key: &Key) -> Result<&Job, Answer> {
        self.jobs.get(key).ok_or_else(|| self.not_found(key))
    }

    pub(crate) fn not_found(&self, key: &Key) -> Answer {
        if !self.is_there(key.0) {
            return self.no_domain(key.0);
        }
        Answer::fails(
            codes::NO_SERVICE,
            format!("Bad request.\nCould not find service \"{}\" in domain for {}", key.1, key.0.spoken()),
        )
    }

    pub(crate) fn no_domain(&self, domain: Domain) -> Answer {
        Answer::fails(self.knobs.no_domain_code, format!("Bad request.\nCould not find domain for {}", domain.spoken()))
    }
}

/// The first word as a target.
pub(crate) fn one_target(words: &[String], uid: u32) -> Result<Target, Answer> {
    let word = words.first().ok_or_else(|| Answer::fails(codes::USAGE, "a target is missing"))?;
    target::parse(word, uid)
}

/// A domain is its owner's and root's.
pub(crate) fn may_change(domain: Domain, uid: u32) -> Result<(), Answer> {
    if uid == 0 || (domain != Domain::System && domain.uid() == uid) {
        return Ok(());
    }
    let why = format!("Not privileged to change {domain}.");
    Err(Answer::fails(codes::NOT_PERMITTED, format!("{why}\n{}", codes::words(codes::NOT_PERMITTED))))
}
