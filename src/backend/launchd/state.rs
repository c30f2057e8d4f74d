//! launchd's words as daemonctl's. Pure.
//!
//! launchd starts what keeps ending again and again, for ever, at most once in its throttle's time, and calls it running
//! whenever a process of it lives. Here a service that launchd has started anew is `backoff` until its process has lived
//! through that time, which none in such a loop does: a single crash is no loop, but for so long nobody can tell.

use std::time::Duration;

use super::codes;
use super::printed::job::{Last, Printed};
use crate::host::words::signal_name;
use crate::report::{LastExit, State, Wanted};
use crate::service::{Kind, RestartPolicy, Service};

/// launchd keeps this time between two starts unless it is told another.
const THROTTLE: Duration = Duration::from_secs(10);

/// Uptimes are whole seconds, which may be one too many.
const GRAIN: Duration = Duration::from_secs(1);

/// What was seen of the process that launchd names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Process {
    /// It was not looked at, or nobody tells how long it has run.
    #[default]
    Unknown,
    /// It has ended since.
    Gone,
    /// It has run for so long.
    Lives(Duration),
}

/// What is known of a unit's job.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen<'a> {
    /// What launchd says; None: it has no such job.
    pub(super) printed: Option<&'a Printed>,
    /// Its property list is where it belongs.
    pub(super) installed: bool,
    pub(super) process: Process,
}

/// What a job without a host does.
pub(super) fn state(unit: &Service, seen: Seen<'_>) -> State {
    let Some(job) = seen.printed else {
        return if seen.installed { State::Stopped } else { State::NotInstalled };
    };
    if job.pid.is_some() {
        return running(unit, job, seen.process);
    }
    match job.state.as_deref() {
        Some("SIGTERMed" | "SIGKILLed") => State::Stopping,
        Some("spawning" | "xpcproxy" | "running") => State::Starting,
        Some("spawn scheduled" | "throttled") if held_back(job) => State::Starting,
        Some("spawn scheduled" | "throttled") => State::Backoff,
        Some("not running" | "waiting" | "exited") => at_rest(unit, job),
        _ => State::Unknown,
    }
}

/// A process of it lives, or did a moment ago.
fn running(unit: &Service, job: &Printed, process: Process) -> State {
    if job.is_ending() {
        return State::Stopping;
    }
    match unit.kind {
        Kind::Oneshot => State::Starting,
        Kind::Task => State::Running,
        Kind::Service if was_restarted(job) && !is_proven(job, process) => State::Backoff,
        Kind::Service if process == Process::Gone => State::Starting,
        Kind::Service => State::Running,
    }
}

/// launchd has started it more than once since it was loaded, which every start by daemonctl does anew. The older question
/// has no count, but tells the last end.
pub(super) fn was_restarted(job: &Printed) -> bool {
    job.runs.map_or(!matches!(job.last, Last::Never | Last::Unsaid), |runs| runs > 1)
}

/// Its process has lived for longer than any does that launchd throttles.
fn is_proven(job: &Printed, process: Process) -> bool {
    matches!(process, Process::Lives(uptime) if uptime >= proof(job) + GRAIN)
}

/// How long the process of what was restarted lives before it counts as running.
pub(super) fn proof(job: &Printed) -> Duration {
    job.minimum_runtime.map_or(THROTTLE, Duration::from_secs).max(THROTTLE)
}

/// It should run, was never started, and launchd waits for somebody to demand it.
pub(super) fn held_back(job: &Printed) -> bool {
    job.pid.is_none() && job.pended.is_some()
}

/// No process, and none to come by itself.
fn at_rest(unit: &Service, job: &Printed) -> State {
    if held_back(job) {
        return State::Starting;
    }
    let failed = match job.last {
        Last::Code(0) => Some(false),
        Last::Code(code) => Some(!unit.restart.success_codes.contains(&code)),
        Last::Signal(_) => Some(true),
        Last::Never | Last::Unsaid | Last::Other(_) => None,
    };
    match (unit.kind, failed) {
        (Kind::Task, Some(true)) => State::Failed,
        // Loaded, it waits for its time, and that is what it is for.
        (Kind::Task, _) => State::Running,
        (Kind::Oneshot, Some(false)) if job.runs != Some(0) => State::Completed,
        (_, Some(true)) => State::Failed,
        (Kind::Service, Some(false)) if unit.restart.policy == RestartPolicy::Always => State::Backoff,
        (_, _) => State::Stopped,
    }
}

/// What somebody wanted last, as far as the state tells.
pub(super) const fn wanted(state: State) -> Option<Wanted> {
    match state {
        State::Running | State::Starting | State::Backoff | State::Completed | State::Failed | State::GaveUp => {
            Some(Wanted::Up)
        }
        State::Stopping | State::Stopped => Some(Wanted::Down),
        State::NotInstalled | State::Unknown => None,
    }
}

/// launchd's own words: `spawn scheduled, held back (speculative)`.
pub(super) fn raw(job: Option<&Printed>) -> String {
    let Some(job) = job else { return "not loaded".to_owned() };
    let state = job.state.as_deref().unwrap_or("(no state)");
    match &job.pended {
        Some(why) => format!("{state}, held back ({why})"),
        None => state.to_owned(),
    }
}

/// Restarts by launchd since it was loaded, which every start by a person does anew.
pub(super) fn restarts(job: &Printed) -> Option<u64> {
    job.runs.map(|runs| runs.saturating_sub(1))
}

/// How the last run ended; None: it has not ended, or never was.
pub(super) fn last_exit(job: &Printed) -> Option<LastExit> {
    let (code, signal, mut reason) = match &job.last {
        Last::Unsaid | Last::Never => (None, None, None),
        Last::Code(code) => {
            let why = codes::spawn_failure(*code);
            let words = why.map_or_else(String::new, |why| format!(": {why}"));
            (Some(*code), None, Some(format!("exited with code {code}{words}")))
        }
        Last::Signal(number) => {
            let name = signal_name(*number);
            let words = format!("killed by SIG{name}");
            (None, Some(name), Some(words))
        }
        Last::Other(words) => (None, None, Some(format!("launchd says `{words}`"))),
    };
    if let Some(why) = &job.reason {
        let why = format!("{} ({why})", codes::exit_reason(why));
        reason = Some(reason.map_or_else(|| why.clone(), |reason| format!("{reason}: {why}")));
    }
    reason.map(|reason| LastExit { code, signal, reason, at: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::launchd::sample::service;

    fn job(state: &str) -> Printed {
        Printed { state: Some(state.to_owned()), runs: Some(1), ..Printed::default() }
    }

    fn of(unit: &Service, printed: &Printed) -> State {
        state(unit, Seen { printed: Some(printed), installed: true, process: Process::Lives(Duration::from_secs(60)) })
    }

    #[test]
    fn what_is_not_loaded_is_stopped_or_not_there() {
        let unit = service();
        assert_eq!(state(&unit, Seen { installed: true, ..Seen::default() }), State::Stopped);
        assert_eq!(state(&unit, Seen::default()), State::NotInstalled);
    }

    #[test]
    fn every_word_of_launchds_has_one() {
        let unit = service();
        for (word, expected) in [
            ("spawn scheduled", State::Backoff),
            ("throttled", State::Backoff),
            ("spawning", State::Starting),
            ("xpcproxy", State::Starting),
            ("SIGTERMed", State::Stopping),
            ("SIGKILLed", State::Stopping),
            ("not running", State::Stopped),
            ("waiting", State::Stopped),
            ("exited", State::Stopped),
            ("not running at all", State::Unknown),
            ("", State::Unknown),
        ] {
            assert_eq!(of(&unit, &job(word)), expected, "{word}");
        }
        assert_eq!(of(&unit, &Printed::default()), State::Unknown, "no state is no `stopped`");
    }

    #[test]
    fn a_process_is_believed_before_a_word() {
        let unit = service();
        let mut running = job("some new word");
        running.pid = Some(7);
        assert_eq!(of(&unit, &running), State::Running);
        running.state = Some("SIGTERMed".to_owned());
        assert_eq!(of(&unit, &running), State::Stopping);
    }

    #[test]
    fn what_is_started_for_ever_never_runs() {
        let unit = service();
        let lives = |seconds| Process::Lives(Duration::from_secs(seconds));
        let seen = |job: &Printed, process| state(&unit, Seen { printed: Some(job), installed: true, process });
        let mut looping = job("running");
        (looping.pid, looping.runs, looping.last) = (Some(7), Some(9), Last::Code(1));
        for last in
            [Last::Code(1), Last::Code(0), Last::Signal(11), Last::Other("(abandoned)".to_owned()), Last::Unsaid]
        {
            looping.last = last;
            for process in [Process::Gone, Process::Unknown, lives(0), lives(1), lives(10)] {
                assert_eq!(seen(&looping, process), State::Backoff, "{process:?} {looping:?}");
            }
            assert_eq!(seen(&looping, lives(11)), State::Running, "it has got over it");
        }
        // Of a short throttle nothing is believed earlier; of a long one later.
        looping.minimum_runtime = Some(1);
        assert_eq!(seen(&looping, lives(5)), State::Backoff);
        looping.minimum_runtime = Some(60);
        assert_eq!(seen(&looping, lives(60)), State::Backoff);
        assert_eq!(seen(&looping, lives(61)), State::Running);
    }

    #[test]
    fn what_was_started_once_runs_at_once() {
        let unit = service();
        let seen = |job: &Printed, process| state(&unit, Seen { printed: Some(job), installed: true, process });
        let mut first = job("running");
        (first.pid, first.last) = (Some(7), Last::Never);
        assert_eq!(seen(&first, Process::Lives(Duration::ZERO)), State::Running);
        assert_eq!(seen(&first, Process::Unknown), State::Running);
        assert_eq!(seen(&first, Process::Gone), State::Starting, "no process is no `running`");
        assert_eq!(restarts(&first), Some(0));
        // The older question tells no count.
        (first.runs, first.last) = (None, Last::Unsaid);
        assert_eq!(seen(&first, Process::Lives(Duration::ZERO)), State::Running);
        first.last = Last::Code(1);
        assert_eq!(seen(&first, Process::Lives(Duration::ZERO)), State::Backoff);
    }

    #[test]
    fn ends_are_told_apart() {
        let mut unit = service();
        let mut ended = job("not running");
        ended.last = Last::Code(0);
        assert_eq!(of(&unit, &ended), State::Stopped);
        ended.last = Last::Code(3);
        assert_eq!(of(&unit, &ended), State::Failed);
        ended.last = Last::Signal(9);
        assert_eq!(of(&unit, &ended), State::Failed);
        unit.kind = Kind::Oneshot;
        assert_eq!(of(&unit, &ended), State::Failed);
        ended.last = Last::Code(0);
        assert_eq!(of(&unit, &ended), State::Completed);
        ended.last = Last::Never;
        assert_eq!(of(&unit, &ended), State::Stopped);
        unit.kind = Kind::Task;
        assert_eq!(of(&unit, &ended), State::Running, "it is armed");
        ended.last = Last::Code(1);
        assert_eq!(of(&unit, &ended), State::Failed);
    }

    #[test]
    fn held_back_is_no_rest() {
        let unit = service();
        let mut held = job("not running");
        (held.pended, held.runs) = (Some("speculative".to_owned()), Some(0));
        assert_eq!(of(&unit, &held), State::Starting);
        assert_eq!(raw(Some(&held)), "not running, held back (speculative)");
    }

    #[test]
    fn ends_are_told_in_words() {
        let mut ended = job("spawn scheduled");
        ended.last = Last::Code(78);
        assert!(last_exit(&ended).unwrap().reason.starts_with("exited with code 78: launchd could not set it up"));
        (ended.last, ended.reason) = (Last::Signal(9), Some("OS_REASON_CODESIGNING".to_owned()));
        let exit = last_exit(&ended).unwrap();
        assert_eq!(exit.signal.as_deref(), Some("KILL"));
        assert!(exit.reason.starts_with("killed by SIGKILL: its code signature is not valid"), "{}", exit.reason);
        assert!(last_exit(&job("running")).is_none());
    }
}
