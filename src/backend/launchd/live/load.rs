//! Loading, unloading and demanding a job: the three acts that launchd has, each judged by what is there afterwards.
//!
//! `bootout` only begins: the job is there, being ended, until its last process is gone, and nothing can be loaded under its
//! label until then. A `bootstrap` that succeeded may have started nothing, and one that failed may have succeeded.

use std::path::Path;
use std::time::{Duration, Instant};

use super::cause;
use super::domain::Domain;
use super::job::{Job, PAUSE, ask};
use super::manager::Launchd;
use crate::backend::launchd::codes::{self, Meaning};
use crate::backend::launchd::names;
use crate::backend::{Deadline, Progress};
use crate::error::{Error, Result};
use crate::service::Service;

/// How long a label may be in flux, or be refused for a reason that nobody can find.
const FLUX: Duration = Duration::from_secs(4);

/// What launchd may take beyond the job's own time to end it.
const MARGIN: Duration = Duration::from_secs(5);

/// What a job has before SIGKILL where launchd does not say.
const UNSAID: Duration = Duration::from_secs(30);

/// Before a request that had no effect is made again.
const AGAIN: Duration = Duration::from_secs(1);

impl Launchd {
    /// Loads a unit's property list where it belongs.
    pub(super) fn load(&self, unit: &Service, domain: Domain) -> Result<Job> {
        let path = names::file(unit, &self.target.layout);
        let label = names::label(unit);
        let (in_domain, file) = (domain.to_string(), path.to_string_lossy().into_owned());
        self.make_log_folder(unit)?;
        let until = Instant::now() + FLUX;
        loop {
            let answer = self.ctl.call(&["bootstrap", &in_domain, &file])?;
            let there = ask(self.ctl.as_ref(), domain, &label)?;
            if let Some(printed) = there {
                let ours = printed.path.as_deref().is_none_or(|from| Path::new(from) == path);
                if ours && !printed.is_ending() {
                    return Ok(Job { domain, label, printed });
                }
                if !ours {
                    return Err(self.not_loaded(unit, domain, &answer));
                }
            }
            match codes::meaning(answer.code) {
                Meaning::Disabled if self.is_disabled(&label)? => self.switch(&label, true)?,
                Meaning::InFlux | Meaning::Opaque | Meaning::Disabled => {}
                _ if answer.code == 0 => {}
                _ => return Err(self.not_loaded(unit, domain, &answer)),
            }
            if Instant::now() >= until {
                if answer.code == 0 {
                    return Err(Error::failed(format!(
                        "launchd said that it had loaded `{}`, and has no such job in `{domain}`",
                        unit.id()
                    )));
                }
                return Err(self.not_loaded(unit, domain, &answer));
            }
            crate::system::pause(PAUSE * 4);
        }
    }

    /// Unloads a job, and returns when it is gone with its process.
    pub(super) fn unload(
        &self,
        unit: &Service,
        job: &Job,
        deadline: Deadline,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let target = job.target();
        let given = match job.printed.exit_timeout {
            Some(seconds @ 1..) => Duration::from_secs(seconds),
            _ => UNSAID.max(unit.stop.timeout),
        };
        let mut until = Instant::now() + given + MARGIN;
        let (mut asked, mut refused, mut killed): (Option<Instant>, usize, bool) = (None, 0, false);
        let mut ending = false;
        progress.waiting(&unit.id(), "waiting for launchd to end it");
        loop {
            if asked.is_none_or(|at| !ending && at.elapsed() >= AGAIN) {
                asked = Some(Instant::now());
                let answer = self.ctl.call(&["bootout", &target])?;
                match codes::meaning(answer.code) {
                    _ if answer.code == 0 => {}
                    Meaning::NotLoaded | Meaning::InFlux | Meaning::Opaque => {}
                    _ => {
                        refused += 1;
                        if refused > 1 {
                            return Err(cause::plain("bootout", &target, &answer));
                        }
                    }
                }
            }
            let Some(printed) = ask(self.ctl.as_ref(), job.domain, &job.label)? else { return Ok(()) };
            ending = printed.is_ending();
            if progress.interrupted() {
                return Err(Error::failed("interrupted; launchd goes on ending it"));
            }
            if deadline.passed() {
                return Err(Error::timed_out(format!(
                    "`{}` is not gone in the time that was given: it is {}",
                    unit.id(),
                    crate::backend::launchd::state::raw(Some(&printed))
                )));
            }
            if Instant::now() >= until {
                if killed {
                    return Err(Error::timed_out(format!(
                        "launchd did not end `{}`: it is {} and has been sent SIGKILL",
                        unit.id(),
                        crate::backend::launchd::state::raw(Some(&printed))
                    )));
                }
                killed = true;
                until = Instant::now() + MARGIN;
                self.ctl.call(&["kill", "SIGKILL", &target])?;
            }
            crate::system::pause(PAUSE);
        }
    }

    /// Has a job started now. A demand is met even where launchd holds back what it would start by itself.
    pub(super) fn demand(&self, job: &Job) -> Result<()> {
        let target = job.target();
        let answer = self.ctl.call(&["kickstart", &target])?;
        match codes::meaning(answer.code) {
            _ if answer.code == 0 => Ok(()),
            // It is looked at again, and asked again if nothing came of it.
            Meaning::InFlux | Meaning::Opaque => Ok(()),
            _ => Err(cause::plain("kickstart", &target, &answer)),
        }
    }

    /// Sends a signal to a job's process. False: it has none.
    pub(super) fn signal(&self, job: &Job, name: &str) -> Result<bool> {
        let target = job.target();
        let mut tried = 0;
        loop {
            let answer = self.ctl.call(&["kill", &format!("SIG{name}"), &target])?;
            match codes::meaning(answer.code) {
                _ if answer.code == 0 => return Ok(true),
                Meaning::NotLoaded => return Ok(false),
                Meaning::InFlux | Meaning::Opaque if tried < 2 => tried += 1,
                _ => return Err(cause::plain("kill", &target, &answer)),
            }
            crate::system::pause(PAUSE);
        }
    }

    pub(super) fn is_disabled(&self, label: &str) -> Result<bool> {
        Ok(self.disabled()?.get(label) == Some(&true))
    }

    /// Switches a label on or off, and sees that it is.
    pub(super) fn switch(&self, label: &str, on: bool) -> Result<()> {
        let verb = if on { "enable" } else { "disable" };
        let domain = self.domains()?.own();
        let target = format!("{domain}/{label}");
        let mut last = None;
        for attempt in 0..3 {
            if attempt > 0 {
                crate::system::pause(PAUSE);
            }
            let answer = self.ctl.call(&[verb, &target])?;
            if self.is_disabled(label)? != on {
                return Ok(());
            }
            last = Some(answer);
        }
        Err(match last {
            Some(answer) if answer.code != 0 => cause::plain(verb, &target, &answer),
            _ => Error::failed(format!("launchd said that it did `{verb} {target}`, and it is as it was")),
        })
    }
}
