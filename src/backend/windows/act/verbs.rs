//! Start, stop, restart and reload: each done when its condition was seen.
//!
//! What can go on beside something else does: a start returns at once and the service is waited for later, before what needs
//! it or at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::codes::Code;
use super::order::{follows, in_order, needs, rolling_failure};
use super::scm::{Change, Held, ScmApi, Seen, access, control, start as start_type, state};
use super::seen::end_in_words;
use super::wait;
use crate::backend::windows::render::{MARGIN, start_time, stop_time};
use crate::backend::{Deadline, Progress, UnitResult};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::Effect;
use crate::service::{Kind, Service};

/// Beyond what the service itself may take: Windows gives every program so long to answer at all.
const PIPE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the data base may be locked by somebody else.
const LOCKED: Duration = Duration::from_secs(30);

/// How long a process may take to be gone after its service is.
const PROCESS_END: Duration = Duration::from_secs(10);

/// What the verbs are done with.
pub(super) struct Hands<'a> {
    pub(super) api: &'a dyn ScmApi,
    pub(super) deadline: Deadline,
    pub(super) progress: &'a mut dyn Progress,
    /// What the host of a unit that failed left behind: why, in words.
    pub(super) reason: &'a dyn Fn(&str) -> Option<String>,
    /// Why the program of a unit whose host runs does not; of one that was just started: not since then.
    pub(super) down_within: &'a dyn Fn(&str, &Seen, Effect) -> Option<String>,
}

impl Hands<'_> {
    /// Starts the units, which are in dependency order.
    pub(super) fn start(&mut self, units: &[Service]) -> Vec<UnitResult> {
        let mut results: BTreeMap<String, Result<Effect>> = BTreeMap::new();
        let mut under_way: Vec<(&Service, Effect)> = Vec::new();
        for unit in units {
            let id = unit.id();
            self.settle(&mut under_way, &mut results, |other| follows(unit, other));
            let failed =
                units.iter().find(|other| needs(unit, other) && results.get(&other.id()).is_some_and(Result::is_err));
            if let Some(failed) = failed {
                results.insert(
                    id.clone(),
                    Err(Error::failed(format!(
                        "`{id}` was not started: it needs `{}`, which did not start",
                        failed.id()
                    ))),
                );
                continue;
            }
            match self.begin_start(unit) {
                Ok(effect) => under_way.push((unit, effect)),
                Err(error) => drop(results.insert(id, Err(error))),
            }
        }
        self.settle(&mut under_way, &mut results, |_| true);
        in_order(units, results)
    }

    /// Waits for those under way that `which` names.
    fn settle(
        &mut self,
        under_way: &mut Vec<(&Service, Effect)>,
        results: &mut BTreeMap<String, Result<Effect>>,
        which: impl Fn(&Service) -> bool,
    ) {
        let (now, later): (Vec<_>, Vec<_>) = under_way.drain(..).partition(|(unit, _)| which(unit));
        *under_way = later;
        for (unit, effect) in now {
            let up = self.until_up(unit, effect).map(|()| effect);
            results.insert(unit.id(), up);
        }
    }

    /// Has the manager start it; what is up already is left alone.
    fn begin_start(&mut self, unit: &Service) -> Result<Effect> {
        let id = unit.id();
        let api = self.api;
        let held = open(api, &id, access::START | access::QUERY_STATUS, "start")?;
        let limit = stop_time(unit) + MARGIN;
        // One that is just ending is started when it has.
        let seen =
            wait::until(&held, &id, self.deadline, limit, self.progress, |seen| seen.state != state::STOP_PENDING)?;
        if seen.state != state::STOPPED {
            return Ok(Effect::Unchanged);
        }
        match wait::unlocked(api, LOCKED, || api.start(held.raw)) {
            Ok(()) => Ok(Effect::Started),
            Err(Code::SERVICE_ALREADY_RUNNING) => Ok(Effect::Unchanged),
            Err(code) => Err(self.not_started(&id, code)),
        }
    }

    fn not_started(&self, id: &str, code: Code) -> Error {
        let error = code.error(format_args!("start `{id}`"));
        let error = match (self.reason)(id) {
            Some(reason) => error.detail(reason),
            None => error,
        };
        let image = matches!(
            code,
            Code::FILE_NOT_FOUND | Code::PATH_NOT_FOUND | Code::BAD_EXE_FORMAT | Code::SERVICE_REQUEST_TIMEOUT
        );
        let dependencies = matches!(
            code,
            Code::SERVICE_DEPENDENCY_FAIL | Code::SERVICE_DEPENDENCY_DELETED | Code::CIRCULAR_DEPENDENCY
        );
        let basic = Held::open(self.api, id, access::QUERY_CONFIG).and_then(|held| self.api.basic(held.raw));
        match basic {
            Ok(basic) if image => error.detail(format!("its image path is {}", basic.image_path)),
            Ok(basic) if dependencies => error.detail(format!("it depends on {}", basic.dependencies.join(", "))),
            Ok(basic) if code == Code::SERVICE_LOGON_FAILED => {
                error.detail(format!("its account is {}", basic.account))
            }
            _ => error,
        }
    }

    /// Waits until it runs; the host is not RUNNING before its program is ready and has lived for a moment, or before it
    /// waits to start it again.
    fn until_up(&mut self, unit: &Service, effect: Effect) -> Result<()> {
        let id = unit.id();
        let api = self.api;
        let held = open(api, &id, access::QUERY_STATUS, "look at")?;
        let limit = start_time(unit) + PIPE_TIMEOUT;
        let there = |seen: &Seen| matches!(seen.state, state::RUNNING | state::PAUSED | state::STOPPED);
        let seen = wait::until(&held, &id, self.deadline, limit, self.progress, there).map_err(|error| {
            match ((self.reason)(&id), error.exit()) {
                (Some(reason), Exit::TimedOut) => error.detail(reason),
                _ => error,
            }
        })?;
        if seen.state == state::RUNNING
            && unit.kind == Kind::Service
            && let Some(why) = (self.down_within)(&id, &seen, effect)
        {
            let error = Error::failed(format!("`{id}` did not stay up: {why}"));
            return Err(match (self.reason)(&id) {
                Some(reason) => error.detail(reason),
                None => error,
            });
        }
        if seen.state != state::STOPPED || seen.exit == 0 && unit.kind != Kind::Service {
            // What was to run to its end has, with success.
            return Ok(());
        }
        Err(self.ended(&id, &seen))
    }

    fn ended(&self, id: &str, seen: &Seen) -> Error {
        let error = Error::failed(format!("`{id}` did not stay up: {}", end_in_words(seen)));
        match (self.reason)(id) {
            Some(reason) => error.detail(reason),
            None => error,
        }
    }

    /// Stops the units, last first.
    pub(super) fn stop(&mut self, units: &[Service]) -> Vec<UnitResult> {
        let mut results: BTreeMap<String, Result<Effect>> = BTreeMap::new();
        let mut under_way: Vec<(&Service, u32)> = Vec::new();
        for unit in units.iter().rev() {
            // What comes after it goes first.
            let (now, later): (Vec<_>, Vec<_>) = under_way.drain(..).partition(|(other, _)| follows(other, unit));
            under_way = later;
            for (other, pid) in now {
                let down = self.until_down(other, pid);
                results.insert(other.id(), down);
            }
            match self.begin_stop(unit) {
                Ok(Stopping::Was) => drop(results.insert(unit.id(), Ok(Effect::Unchanged))),
                Ok(Stopping::Now(pid)) => under_way.push((unit, pid)),
                Err(error) => drop(results.insert(unit.id(), Err(error))),
            }
        }
        for (unit, pid) in under_way {
            let down = self.until_down(unit, pid);
            results.insert(unit.id(), down);
        }
        in_order(units, results)
    }

    /// Has the manager stop it.
    fn begin_stop(&mut self, unit: &Service) -> Result<Stopping> {
        let id = unit.id();
        let api = self.api;
        let rights = access::STOP | access::QUERY_STATUS | access::ENUMERATE_DEPENDENTS;
        let held = open(api, &id, rights, "stop")?;
        let limit = start_time(unit) + PIPE_TIMEOUT;
        loop {
            let seen =
                wait::until(&held, &id, self.deadline, limit, self.progress, |seen| takes_stop(seen) || is_down(seen))?;
            if seen.state == state::STOPPED {
                self.end_recovery(&id, &seen)?;
                return Ok(Stopping::Was);
            }
            if seen.state == state::STOP_PENDING {
                return Ok(Stopping::Now(seen.pid));
            }
            match api.control(held.raw, control::STOP) {
                // It is looked at again: it may have ended just then, or have begun to.
                Err(Code::SERVICE_NOT_ACTIVE | Code::SERVICE_CANNOT_ACCEPT_CTRL) => {}
                Ok(()) | Err(Code::SHUTDOWN_IN_PROGRESS) => return Ok(Stopping::Now(seen.pid)),
                Err(Code::DEPENDENT_SERVICES_RUNNING) => {
                    let names = api.dependents(held.raw).unwrap_or_default();
                    return Err(Code::DEPENDENT_SERVICES_RUNNING
                        .error(format_args!("stop `{id}`"))
                        .detail(format!("running, and need it: {}", names.join(", ")))
                        .hint(format!(
                            "`daemonctl stop {} {id}` stops them together, where they are daemonctl's",
                            names.join(" ")
                        )));
                }
                Err(code) => {
                    let error = code.error(format_args!("stop `{id}`"));
                    return Err(if code == Code::INVALID_SERVICE_CONTROL {
                        error.detail(format!("it is {} and accepts {:#x}", state::name(seen.state), seen.accepts))
                    } else {
                        error
                    });
                }
            }
            if self.progress.interrupted() {
                return Err(Error::failed(format!("interrupted; `{id}` still runs")));
            }
        }
    }

    /// Waits until it is stopped and its process is gone: the program's file is in use until then.
    fn until_down(&mut self, unit: &Service, mut pid: u32) -> Result<Effect> {
        let id = unit.id();
        let api = self.api;
        let held = open(api, &id, access::QUERY_STATUS, "look at")?;
        let limit = stop_time(unit) + PIPE_TIMEOUT;
        let seen = wait::until(&held, &id, self.deadline, limit, self.progress, |seen| {
            pid = if seen.pid == 0 { pid } else { seen.pid };
            seen.state == state::STOPPED
        })?;
        if pid != 0 && !api.process_ended(pid, PROCESS_END) {
            return Err(Error::failed(format!("`{id}` is stopped, and its process {pid} is still there")));
        }
        self.end_recovery(&id, &seen)?;
        Ok(Effect::Stopped)
    }

    /// A restart that the manager has put off cannot be called off: of a service whose process died, it is waited for while
    /// the service is disabled, so that it comes to nothing.
    fn end_recovery(&mut self, id: &str, seen: &Seen) -> Result<()> {
        if seen.exit != Code::PROCESS_ABORTED.0 {
            return Ok(());
        }
        let api = self.api;
        let tried = || format!("keep `{id}` down");
        let held = Held::open(api, id, access::QUERY_CONFIG | access::CHANGE_CONFIG | access::QUERY_STATUS)
            .map_err(|code| code.error(tried()))?;
        let Ok(super::scm::Level::Failure { actions, .. }) = api.level(held.raw, super::scm::Kind::Failure) else {
            return Ok(());
        };
        let restart = crate::backend::windows::config::FailureKind::Restart as u32;
        let Some(longest) = actions.iter().filter(|(kind, _)| *kind == restart).map(|(_, delay)| *delay).max() else {
            return Ok(());
        };
        let before = api.basic(held.raw).map_err(|code| code.error(tried()))?.start;
        let set = |start| {
            let change = Change { start: Some(start), ..Change::default() };
            wait::unlocked(api, LOCKED, || api.change(held.raw, &change)).map_err(|code| code.error(tried()))
        };
        set(start_type::DISABLED)?;
        let end = api.clock() + Duration::from_millis(longest.into()) + Duration::from_secs(1);
        while api.clock() < end && !self.progress.interrupted() {
            self.progress.waiting(id, "a restart that the service control manager may have put off to pass");
            api.pause(Duration::from_millis(100));
        }
        set(before)
    }

    /// Stops and starts. Instances that nothing here needs roll over: each is up before the next goes down, and one that
    /// does not come up leaves the others as they are.
    pub(super) fn restart(&mut self, units: &[Service]) -> Vec<UnitResult> {
        let rolls = |unit: &&Service| unit.instance.is_some() && !units.iter().any(|other| follows(other, unit));
        let (rolling, together): (Vec<&Service>, Vec<&Service>) = units.iter().partition(rolls);
        let together: Vec<Service> = together.into_iter().cloned().collect();
        let mut results: BTreeMap<String, Result<Effect>> = self.restart_together(&together).into_iter().collect();
        for unit in rolling {
            let failed = rolling_failure(units, unit, &results);
            let done = match failed {
                Some(failed) => vec![(
                    unit.id(),
                    Err(Error::failed(format!("`{}` was left as it is: `{failed}` did not come up again", unit.id()))),
                )],
                None => self.restart_together(std::slice::from_ref(unit)),
            };
            results.extend(done);
        }
        in_order(units, results)
    }

    fn restart_together(&mut self, units: &[Service]) -> Vec<UnitResult> {
        let mut stopped: BTreeMap<String, Result<Effect>> = self.stop(units).into_iter().collect();
        let down: Vec<Service> =
            units.iter().filter(|unit| stopped.get(&unit.id()).is_some_and(Result::is_ok)).cloned().collect();
        for (id, started) in self.start(&down) {
            stopped.insert(id, started.map(|_| Effect::Restarted));
        }
        in_order(units, stopped)
    }

    /// Has the hosts reload their services.
    pub(super) fn reload(&mut self, units: &[Service]) -> Vec<UnitResult> {
        let results = units.iter().map(|unit| (unit.id(), self.reload_one(unit))).collect();
        in_order(units, results)
    }

    fn reload_one(&mut self, unit: &Service) -> Result<Effect> {
        let id = unit.id();
        if unit.reload.is_none() {
            return Err(Error::failed(format!("`{id}` has no `reload` in its manifest"))
                .hint("add `[service.NAME.reload]`, or use `daemonctl restart`"));
        }
        let api = self.api;
        let held = open(api, &id, access::PAUSE_CONTINUE | access::QUERY_STATUS, "reload")?;
        match api.control(held.raw, control::PARAMCHANGE) {
            Ok(()) => {}
            Err(Code::SERVICE_NOT_ACTIVE) => {
                return Err(Error::new(Exit::NotRunning, format!("`{id}` is not running"))
                    .hint(format!("`daemonctl start {id}`")));
            }
            Err(code) => return Err(code.error(format_args!("reload `{id}`"))),
        }
        let seen = api.seen(held.raw).map_err(|code| code.error(format_args!("look at `{id}`")))?;
        if seen.state == state::STOPPED { Err(self.ended(&id, &seen)) } else { Ok(Effect::Reloaded) }
    }
}

fn open<'a>(api: &'a dyn ScmApi, id: &str, rights: u32, verb: &str) -> Result<Held<'a>> {
    Held::open(api, id, rights).map_err(|code| match code {
        Code::SERVICE_DOES_NOT_EXIST => Error::new(Exit::NotInstalled, format!("`{id}` is not installed: {code}"))
            .hint("`daemonctl install MANIFEST` installs it"),
        code => code.error(format_args!("{verb} `{id}`")),
    })
}

/// How a stop has begun.
enum Stopping {
    /// It was down already.
    Was,
    /// It goes down, and this is its process.
    Now(u32),
}

const ACCEPT_STOP: u32 = 1;

const fn takes_stop(seen: &Seen) -> bool {
    // One that is just starting may take it or not; it is asked when it says that it does.
    seen.accepts & ACCEPT_STOP != 0 || matches!(seen.state, state::RUNNING | state::PAUSED)
}

const fn is_down(seen: &Seen) -> bool {
    matches!(seen.state, state::STOPPED | state::STOP_PENDING)
}
