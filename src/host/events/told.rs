//! From what the machine did to events. Pure.

use jiff::Timestamp;

use crate::events::{Event, What};
use crate::host::machine::{self, Current, Ended, State};
use crate::host::words;
use crate::report;

/// What the machine was given, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cue {
    /// The main process ended.
    Exited,
    /// A supervisor takes over; `true`: the main process lives.
    Resumed(bool),
    /// Anything else.
    Other,
}

impl Cue {
    /// Of an event of the machine.
    #[must_use]
    pub const fn of(event: &machine::Event) -> Self {
        match event {
            machine::Event::Exited(_) => Self::Exited,
            machine::Event::Resume { alive } => Self::Resumed(*alive),
            _ => Self::Other,
        }
    }
}

/// When, and about which main process.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// The wall clock.
    pub time: Timestamp,
    /// The main process, or the last one.
    pub pid: Option<u32>,
}

/// The events of one step of the machine, in order.
#[must_use]
pub fn told(unit: &str, cue: Cue, before: Current, after: &State, now: Occasion) -> Vec<Event> {
    let (had_main, was, current) = (before.has_main(), before.word(), after.current);
    let word = after.word();
    let mut found = Vec::new();
    let event = |what| {
        let mut event = Event::new(now.time, unit, what, word);
        event.restarts = Some(after.restarts).filter(|restarts| *restarts > 0);
        event
    };
    let how = || words::ended(after.last.as_ref(), after.blame.as_deref());
    match cue {
        Cue::Exited | Cue::Resumed(false) if had_main => {
            let mut exited = event(What::Exited).because(words::ended(after.last.as_ref(), None));
            exited.pid = now.pid;
            match &after.last {
                Some(Ended::Code(code)) => exited.code = Some(*code),
                Some(Ended::Signal(signal)) => exited.signal = Some(words::signal_name(*signal)),
                _ => {}
            }
            found.push(exited);
        }
        Cue::Resumed(true) => {
            let mut adopted = event(What::Adopted);
            adopted.pid = now.pid;
            found.push(adopted);
        }
        _ => {}
    }
    if before == current {
        return found;
    }
    match current {
        Current::Running => {
            let called_off = before == Current::PreStop;
            let mut ready = event(if called_off { What::StopRefused } else { What::Ready });
            ready.pid = now.pid;
            found.push(ready);
        }
        Current::Backoff => {
            let mut backoff = event(What::Backoff).because(how());
            backoff.delay = after.deadline.map(|at| at.saturating_sub(after.since).as_secs_f64());
            found.push(backoff);
        }
        Current::GaveUp => found.push(event(What::GaveUp).because(after.reason.clone().unwrap_or_default())),
        Current::Failed => found.push(event(What::Failed).because(after.reason.clone().unwrap_or_default())),
        // A task whose run is over, or one that begins to wait for its first.
        Current::Armed if before.is_ending() && after.reason.is_some() => {
            found.push(event(What::Failed).because(after.reason.clone().unwrap_or_default()));
        }
        Current::Armed if before.is_ending() => found.push(event(What::Completed)),
        Current::Armed => found.push(event(What::Armed)),
        Current::Completed => found.push(event(What::Completed)),
        Current::Stopped => found.push(event(What::Stopped)),
        _ if word == report::State::Starting && was != word => found.push(event(What::Starting)),
        _ if word == report::State::Stopping && was != word && found.is_empty() => {
            let mut stopping = event(What::Stopping).because(after.blame.clone().unwrap_or_default());
            stopping.pid = now.pid;
            found.push(stopping);
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::machine::Wanted;

    fn state(current: Current) -> State {
        let mut state = State::new(Wanted::Up, Duration::ZERO);
        state.current = current;
        state
    }

    fn names(cue: Cue, before: Current, after: &State) -> Vec<&'static str> {
        events(cue, before, after).iter().map(|event| event.event.name()).collect()
    }

    fn events(cue: Cue, before: Current, after: &State) -> Vec<Event> {
        let now = Occasion { time: Timestamp::UNIX_EPOCH, pid: Some(7) };
        told("web", cue, before, after, now)
    }

    #[test]
    fn a_life_is_told_step_by_step() {
        assert_eq!(names(Cue::Other, Current::Stopped, &state(Current::Held)), ["starting"]);
        assert!(names(Cue::Other, Current::Held, &state(Current::Spawning)).is_empty());
        assert_eq!(names(Cue::Other, Current::Spawning, &state(Current::Running)), ["ready"]);
        assert_eq!(names(Cue::Other, Current::Running, &state(Current::Ending)), ["stopping"]);
        assert!(names(Cue::Other, Current::Ending, &state(Current::Killing)).is_empty());
        assert_eq!(names(Cue::Exited, Current::Killing, &state(Current::Clearing)), ["exited"]);
        assert_eq!(names(Cue::Other, Current::Clearing, &state(Current::Stopped)), ["stopped"]);
        assert_eq!(names(Cue::Other, Current::PreStop, &state(Current::Running)), ["stop-refused"]);
        assert_eq!(names(Cue::Other, Current::Clearing, &state(Current::Spawning)), ["starting"]);
    }

    #[test]
    fn an_end_has_its_code_or_signal_and_a_backoff_its_delay() {
        let mut after = state(Current::Clearing);
        after.last = Some(Ended::Code(3));
        let exited = events(Cue::Exited, Current::Running, &after).remove(0);
        assert_eq!((exited.code, exited.pid, exited.signal), (Some(3), Some(7), None));
        after.last = Some(Ended::Signal(9));
        let exited = events(Cue::Exited, Current::Running, &after).remove(0);
        assert_eq!(exited.signal.as_deref(), Some(if cfg!(unix) { "KILL" } else { "9" }));
        after.current = Current::Backoff;
        (after.since, after.deadline) = (Duration::from_secs(10), Some(Duration::from_millis(11_500)));
        let backoff = events(Cue::Other, Current::Clearing, &after).remove(0);
        assert_eq!(
            (backoff.delay, backoff.reason.as_deref()),
            (Some(1.5), Some(if cfg!(unix) { "was killed by SIGKILL" } else { "was killed by SIG9" }))
        );
    }

    #[test]
    fn a_takeover_is_told_and_so_is_a_death_that_nobody_saw() {
        assert_eq!(names(Cue::Resumed(true), Current::Running, &state(Current::Running)), ["adopted"]);
        assert_eq!(names(Cue::Resumed(true), Current::Spawning, &state(Current::Running)), ["adopted", "ready"]);
        assert_eq!(names(Cue::Resumed(false), Current::Running, &state(Current::Clearing)), ["exited"]);
        assert!(names(Cue::Exited, Current::Clearing, &state(Current::Clearing)).is_empty());
    }
}
