//! Status, in as few questions as its detail allows: a table of hundreds of units asks the manager once for the states,
//! finds main processes in the control groups, and asks one more question for each unit that could have been restarted
//! unless there are very many.

use super::clock::rfc3339;
use super::groups::{Groups, short};
use super::link::{Ask, Facts};
use super::manager::{Systemd, timer_of};
use super::state;
use crate::backend::systemd::names;
use crate::backend::{BackendKind, Detail};
use crate::error::Result;
use crate::layout::Scope;
use crate::report::{State, Status};
use crate::service::{LogFile, ReadyWhen, RestartPolicy, Service};

/// In a table of more units than this the restarts of those that run are not asked for: the manager answers such a
/// question for one unit at a time, and hundreds of them would take longer than all the rest.
pub(super) const COUNTED: usize = 200;

/// The facts of services and, for those that have one, of timers.
struct Gathered {
    services: Vec<Facts>,
    timers: Vec<Option<Facts>>,
    /// Seconds that main processes have run, as far as they were looked at.
    uptimes: Vec<Option<f64>>,
}

pub(super) fn status(systemd: &mut Systemd, units: &[Service], detail: Detail) -> Result<Vec<Status>> {
    let clock = Clock::now();
    let gathered = match detail {
        Detail::Full => everything(systemd, units)?,
        Detail::Table => table(systemd, units, &clock)?,
    };
    let enabled = systemd.enabled(units)?;
    let scope = systemd.target.scope;
    Ok(units
        .iter()
        .zip(gathered.services)
        .zip(gathered.timers)
        .zip(gathered.uptimes.into_iter().chain(std::iter::repeat(None)))
        .zip(enabled)
        .map(|((((unit, facts), timer), uptime), enabled)| {
            let uptime = uptime.or_else(|| facts.main_pid.and_then(|pid| clock.uptime(pid)));
            one(unit, &facts, timer.as_ref(), uptime, enabled, scope, &clock)
        })
        .collect())
}

fn everything(systemd: &mut Systemd, units: &[Service]) -> Result<Gathered> {
    let services: Vec<String> = units.iter().map(|unit| names::unit(&unit.id(), "service")).collect();
    let timers: Vec<String> = units.iter().map(timer_of).filter(|timer| !timer.is_empty()).collect();
    let services = systemd.link.facts(&services, Ask::State)?;
    let mut found = systemd.link.facts(&timers, Ask::State)?.into_iter();
    let timers = units.iter().map(|unit| if names::has_timer(unit) { found.next() } else { None }).collect();
    Ok(Gathered { services, timers, uptimes: Vec::new() })
}

fn table(systemd: &mut Systemd, units: &[Service], clock: &Clock) -> Result<Gathered> {
    let names: Vec<String> = units.iter().map(|unit| names::unit(&unit.id(), "service")).collect();
    let timer_names: Vec<String> = units.iter().map(timer_of).filter(|timer| !timer.is_empty()).collect();
    let all: Vec<String> = names.iter().chain(&timer_names).cloned().collect();
    let mut listed = systemd.link.list(&all)?;
    // Timers are few, and their times are what one looks for.
    listed.truncate(names.len());
    let mut timers = systemd.link.facts(&timer_names, Ask::State)?.into_iter();
    let timers = units.iter().map(|unit| if names::has_timer(unit) { timers.next() } else { None }).collect();
    let mut services: Vec<Facts> = listed.into_iter().map(|listed| Facts { listed, ..Facts::default() }).collect();

    let groups = Groups::find(systemd.target.scope);
    let (mut dear, mut running, mut restarts) = (Vec::new(), Vec::new(), Vec::new());
    for (at, unit) in units.iter().enumerate() {
        let facts = &services[at];
        if !facts.listed.is_loaded() {
            continue;
        }
        if facts.listed.active != "active" && (facts.listed.active != "inactive" || names::has_timer(unit)) {
            // What fails, waits or changes is what the table is read for.
            dear.push(at);
            continue;
        }
        if facts.listed.active == "active" && facts.listed.sub != "exited" {
            running.push(at);
            if unit.restart.policy != RestartPolicy::Never && units.len() <= COUNTED {
                restarts.push(at);
            }
        }
    }
    let ask = |systemd: &mut Systemd, which: &[usize], ask: Ask| {
        let asked: Vec<String> = which.iter().map(|at| names[*at].clone()).collect();
        systemd.link.facts(&asked, ask)
    };
    // The kernel is asked while systemd answers.
    let look = |at: &usize| {
        let pid = groups.only_process(&units[*at]);
        (pid, pid.and_then(|pid| clock.uptime(pid)))
    };
    let (alone, counted) = std::thread::scope(|scope| {
        let alone = scope.spawn(|| running.iter().map(look).collect::<Vec<_>>());
        let counted = ask(systemd, &restarts, Ask::Restarts);
        (alone.join().unwrap_or_default(), counted)
    });
    let mut uptimes = vec![None; units.len()];
    for (at, (pid, uptime)) in running.iter().zip(alone) {
        services[*at].main_pid = pid;
        uptimes[*at] = uptime;
    }
    for (at, found) in restarts.iter().zip(counted?) {
        services[*at].restarts = found.restarts;
    }
    let pids: Vec<usize> = running.into_iter().filter(|at| services[*at].main_pid.is_none()).collect();
    for (at, found) in pids.iter().zip(ask(systemd, &pids, Ask::MainPid)?) {
        services[*at].main_pid = found.main_pid;
    }
    for (at, found) in dear.iter().zip(ask(systemd, &dear, Ask::State)?) {
        services[*at] = found;
    }
    Ok(Gathered { services, timers, uptimes })
}

fn one(
    unit: &Service,
    facts: &Facts,
    timer: Option<&Facts>,
    uptime: Option<f64>,
    enabled: bool,
    scope: Scope,
    clock: &Clock,
) -> Status {
    let state = state::state(unit, facts, timer);
    let mut status = Status::not_installed(&unit.id(), BackendKind::Systemd.name(), scope);
    status.state = state;
    if state == State::NotInstalled {
        return status;
    }
    status.raw_state = Some(match timer {
        Some(timer) => format!("{}; timer {}", state::raw(facts), state::raw(timer)),
        None => state::raw(facts),
    });
    status.wanted = state::wanted(state);
    status.enabled = Some(enabled);
    status.pid = facts.main_pid;
    status.uptime = uptime;
    status.since = facts.changed.or_else(|| uptime.and_then(|uptime| clock.ago(uptime))).and_then(rfc3339);
    // The one that the limit refused is counted too.
    let refused = u64::from(state == State::GaveUp);
    status.restarts = facts.restarts.map(|restarts| restarts.saturating_sub(refused));
    if state == State::Backoff {
        let next = facts.changed.zip(facts.restart_delay).map(|(changed, delay)| changed.saturating_add(delay));
        status.next_retry = next.and_then(rfc3339);
    }
    status.last_exit = state::last_exit(facts);
    if unit.ready.as_ref().is_some_and(|ready| ready.when == ReadyWhen::Notify) {
        status.ready = Some(state == State::Running);
    }
    if let Some(timer) = timer {
        status.next_run = timer.next_elapse.and_then(rfc3339);
        status.last_run = timer.last_trigger.and_then(rfc3339);
    }
    status.logs = Some(match &unit.logs.file {
        Some(LogFile::One(path)) => path.display().to_string(),
        Some(LogFile::Apart { stdout, stderr }) => format!("{}, {}", stdout.display(), stderr.display()),
        Some(LogFile::Default) | None if unit.logs.native => match scope {
            Scope::System => format!("journal (journalctl -u {})", unit.id()),
            Scope::User => format!("journal (journalctl --user -u {})", unit.id()),
        },
        Some(LogFile::Default) | None => "none".to_owned(),
    });
    status.notes.extend(facts.status_text.iter().map(|text| format!("it says: {text}")));
    status
}

/// The time now, on the clocks that matter.
struct Clock {
    /// Seconds since boot.
    boot: Option<f64>,
    ticks: f64,
    now: jiff::Timestamp,
}

impl Clock {
    fn now() -> Self {
        let boot = std::fs::read_to_string("/proc/uptime")
            .ok()
            .and_then(|text| text.split_whitespace().next().and_then(|seconds| seconds.parse().ok()));
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
        #[expect(clippy::cast_precision_loss, reason = "it is 100")]
        Self { boot, ticks: ticks as f64, now: crate::system::now() }
    }

    /// Seconds that a process has run.
    fn uptime(&self, pid: u32) -> Option<f64> {
        let stat = short(format!("/proc/{pid}/stat").as_ref())?;
        // The name in parentheses may hold anything, parentheses too. After it: state is field 3, start time is field 22.
        let (_, rest) = stat.rsplit_once(')')?;
        let started: f64 = rest.split_whitespace().nth(19)?.parse().ok()?;
        Some((self.boot? - started / self.ticks).max(0.0))
    }

    /// So many seconds ago, in microseconds since 1970.
    fn ago(&self, seconds: f64) -> Option<u64> {
        let then = jiff::Timestamp::from_second(self.now.as_second()).ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "an uptime fits")]
        let then = then.checked_sub(jiff::SignedDuration::from_secs(seconds as i64)).ok()?;
        u64::try_from(then.as_microsecond()).ok()
    }
}
