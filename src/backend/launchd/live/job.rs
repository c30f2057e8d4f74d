//! A unit's job: what launchd says of it, and what that means.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cause;
use super::ctl::Ctl;
use super::domain::Domain;
use super::manager::Launchd;
use crate::backend::launchd::codes::{self, Meaning};
use crate::backend::launchd::printed::{disabled, job, list};
use crate::backend::launchd::state::{self, Process, Seen};
use crate::backend::launchd::{hosted, names};
use crate::error::{Error, Result};
use crate::host::state::Record;
use crate::report::State;
use crate::service::{Kind, Service};

/// Between two questions. launchd has no way to say when something has changed.
pub(super) const PAUSE: Duration = Duration::from_millis(30);

/// How often a question is asked that got no answer to be understood.
const TRIES: usize = 3;

/// A loaded job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) domain: Domain,
    pub(super) label: String,
    pub(super) printed: job::Printed,
}

impl Job {
    /// `gui/501/com.example.web`.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.domain, self.label)
    }
}

/// What is known of a unit.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) job: Option<Job>,
    /// Its property list is where it belongs.
    pub(super) installed: bool,
    /// daemonctl's host runs it.
    pub(super) hosted: bool,
    /// What the host knows, where it runs or has ended with a failure.
    pub(super) record: Option<Record>,
    pub(super) process: Process,
    pub(super) state: State,
}

impl Known {
    pub(super) fn printed(&self) -> Option<&job::Printed> {
        self.job.as_ref().map(|job| &job.printed)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.printed().and_then(|printed| printed.pid)
    }
}

/// How long each process has run; see [`crate::system::processes::uptimes`].
pub(super) type Uptimes = BTreeMap<u32, Option<Duration>>;

/// What was seen of a job's process.
fn process(job: &Job, uptimes: &Uptimes) -> Process {
    match job.printed.pid.and_then(|pid| uptimes.get(&pid)) {
        None => Process::Gone,
        Some(None) => Process::Unknown,
        Some(Some(uptime)) => Process::Lives(*uptime),
    }
}

/// What launchd says of a label in a domain; None: it has no such job there.
pub(super) fn ask(ctl: &dyn Ctl, domain: Domain, label: &str) -> Result<Option<job::Printed>> {
    let target = format!("{domain}/{label}");
    let mut trouble = Error::failed(format!("`launchctl print {target}` gave no answer that daemonctl understands"));
    for attempt in 0..TRIES {
        if attempt > 0 {
            crate::system::pause(PAUSE);
        }
        let answer = ctl.call(&["print", &target])?;
        if answer.code == 0 {
            if let Some(printed) = job::parse(&answer.stdout) {
                return Ok(Some(printed));
            }
            continue;
        }
        match codes::meaning(answer.code) {
            Meaning::NotLoaded => return Ok(None),
            Meaning::NoDomain if !super::domain::is_there(ctl, domain)? => return Ok(None),
            _ => trouble = cause::plain("print", &target, &answer),
        }
    }
    // An older question, which knows the caller's own domain only.
    if domain == Domain::System {
        let answer = ctl.call(&["list", label])?;
        match codes::meaning(answer.code) {
            _ if answer.code == 0 => {
                if let Some(printed) = list::parse(&answer.stdout) {
                    return Ok(Some(printed));
                }
            }
            Meaning::NotLoaded => return Ok(None),
            _ => {}
        }
    }
    Err(trouble)
}

impl Launchd {
    /// The job of a unit, in whichever domain it is.
    pub(super) fn find(&self, unit: &Service) -> Result<Option<Job>> {
        let label = names::label(unit);
        for domain in &self.domains()?.there {
            if let Some(printed) = ask(self.ctl.as_ref(), *domain, &label)? {
                return Ok(Some(Job { domain: *domain, label, printed }));
            }
        }
        Ok(None)
    }

    /// What is known of each unit; several are asked for at the same time.
    pub(super) fn know_all(&self, units: &[Service]) -> Result<Vec<Known>> {
        // Asked once, before the threads need it.
        self.domains()?;
        let share = units.len().div_ceil(4).max(1);
        let jobs = std::thread::scope(|scope| {
            let asked: Vec<_> = units
                .chunks(share)
                .map(|units| scope.spawn(|| units.iter().map(|unit| self.find(unit)).collect::<Vec<_>>()))
                .collect();
            let lost = || vec![Err(Error::failed("a thread that asked launchctl was lost"))];
            asked.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|_| lost())).collect::<Result<Vec<_>>>()
        })?;
        let pids: Vec<u32> = jobs.iter().flatten().filter_map(|job| job.printed.pid).collect();
        let uptimes = (self.uptimes)(&pids);
        units.iter().zip(jobs).map(|(unit, job)| self.known(unit, job, uptimes.clone())).collect()
    }

    /// What is known of one.
    pub(super) fn know(&self, unit: &Service) -> Result<Known> {
        let job = self.find(unit)?;
        let uptimes = self.uptimes_of(job.as_ref());
        self.known(unit, job, uptimes)
    }

    fn uptimes_of(&self, job: Option<&Job>) -> Uptimes {
        job.and_then(|job| job.printed.pid).map(|pid| (self.uptimes)(&[pid])).unwrap_or_default()
    }

    fn known(&self, unit: &Service, mut job: Option<Job>, mut uptimes: Uptimes) -> Result<Known> {
        // What ended between two looks launchd knows of in a moment.
        for _ in 1..TRIES {
            let gone = |job: &Job| job.printed.pid.is_some() && process(job, &uptimes) == Process::Gone;
            if !job.as_ref().is_some_and(|job| gone(job) && !state::was_restarted(&job.printed)) {
                break;
            }
            crate::system::pause(PAUSE);
            job = self.find(unit)?;
            uptimes = self.uptimes_of(job.as_ref());
        }
        let id = unit.id();
        let installed = self.on_disk(&names::file(unit, &self.target.layout)).exists();
        let hosted = match &job {
            Some(job) if !job.printed.arguments.is_empty() => job.printed.is_host(),
            _ => self.on_disk(&self.target.layout.spec(&id)).exists(),
        };
        let pid = job.as_ref().and_then(|job| job.printed.pid);
        let record =
            if hosted && job.is_some() { crate::host::state::of_shim(&self.target.layout, &id, pid)? } else { None };
        let process = job.as_ref().map_or(Process::Unknown, |job| process(job, &uptimes));
        let seen = Seen { printed: job.as_ref().map(|job| &job.printed), installed, process };
        let state = if hosted { of_host(unit, seen, record.as_ref()) } else { state::state(unit, seen) };
        Ok(Known { job, installed, hosted, record, process, state })
    }

    /// Labels that are switched on or off, whatever their property lists say.
    pub(super) fn disabled(&self) -> Result<BTreeMap<String, bool>> {
        let domain = self.domains()?.own().to_string();
        let mut trouble = Error::failed("`launchctl print-disabled` gave no answer that daemonctl understands");
        for attempt in 0..TRIES {
            if attempt > 0 {
                crate::system::pause(PAUSE);
            }
            let answer = self.ctl.call(&["print-disabled", &domain])?;
            if answer.code != 0 {
                trouble = cause::plain("print-disabled", &domain, &answer);
                if codes::meaning(answer.code) == Meaning::NoDomain && self.domains()?.there.is_empty() {
                    return Ok(BTreeMap::new());
                }
            } else if answer.stdout.trim_end().ends_with('}') {
                return Ok(disabled::parse(&answer.stdout));
            }
        }
        Err(trouble)
    }

    pub(super) fn on_disk(&self, path: &std::path::Path) -> std::path::PathBuf {
        self.target.layout.on_disk(path)
    }

    /// The time after which a start is given up; None: what runs to completion takes as long as it takes.
    pub(super) fn start_limit(unit: &Service, hosted: bool) -> Option<Duration> {
        /// Longer than launchd takes to start anything, its throttle included.
        const NATIVE: Duration = Duration::from_secs(20);
        match (unit.kind, hosted) {
            (Kind::Oneshot, _) => None,
            (_, true) => Some(hosted::start_timeout(unit)),
            (_, false) => Some(NATIVE),
        }
    }
}

/// What a service under daemonctl's host does.
fn of_host(unit: &Service, seen: Seen<'_>, record: Option<&Record>) -> State {
    let Some(job) = seen.printed else {
        return if seen.installed { State::Stopped } else { State::NotInstalled };
    };
    if job.pid.is_some() {
        return match record.map(|record| record.machine.word()) {
            // It has reached its end, and will be gone in a moment.
            Some(State::Completed | State::Stopped | State::Failed | State::GaveUp) => State::Stopping,
            Some(State::Starting) if unit.kind == Kind::Task => State::Running,
            Some(word) if job.is_ending() && word == State::Running => State::Stopping,
            Some(word) => word,
            None if job.is_ending() => State::Stopping,
            None => State::Starting,
        };
    }
    // What the host itself does; for the service it ended well whenever that was its own doing.
    let mut plain = unit.clone();
    plain.restart.policy = crate::service::RestartPolicy::OnFailure;
    match (state::state(&plain, seen), record) {
        (State::Stopped | State::Completed | State::Failed, Some(record)) => record.machine.word(),
        (state, _) => state,
    }
}
