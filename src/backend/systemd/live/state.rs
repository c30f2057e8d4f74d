//! systemd's words as daemonctl's. Pure.

use super::link::Facts;
use crate::host::words::signal_name;
use crate::report::{LastExit, State, Wanted};
use crate::service::{Kind, RestartPolicy, Service};

/// What a service does. `timer` is the state of its timer, where it is a task.
pub(super) fn state(service: &Service, facts: &Facts, timer: Option<&Facts>) -> State {
    let listed = &facts.listed;
    if !listed.is_loaded() {
        return State::NotInstalled;
    }
    let armed = timer.is_some_and(|timer| timer.listed.active == "active");
    match (listed.active.as_str(), listed.sub.as_str()) {
        ("active", "exited") if service.kind != Kind::Service => State::Completed,
        ("active" | "reloading" | "refreshing", _) => State::Running,
        ("activating", _) if listed.is_in_backoff() => State::Backoff,
        // A task's run is what its timer is for.
        ("activating", _) if service.kind == Kind::Task => State::Running,
        ("activating", _) => State::Starting,
        ("deactivating", _) => State::Stopping,
        ("failed", _) if gave_up(service, facts) => State::GaveUp,
        ("failed", _) => State::Failed,
        ("inactive" | "maintenance", _) if armed => State::Running,
        ("inactive" | "maintenance", _) => State::Stopped,
        _ => State::Unknown,
    }
}

/// Whether it is only the start limit that keeps it down. Until a later version systemd told the failure before
/// instead of `start-limit-hit`, but it counts the restart that it then refused.
fn gave_up(service: &Service, facts: &Facts) -> bool {
    let restarts = matches!(service.restart.policy, RestartPolicy::Always | RestartPolicy::OnFailure);
    let limit = service.restart.limit.map(|limit| u64::from(limit.count));
    facts.result == "start-limit-hit"
        || (restarts && limit.is_some_and(|limit| facts.restarts.is_some_and(|n| n > limit)))
}

/// What somebody wanted last, as far as the state tells: systemd keeps no intent beyond it.
pub(super) fn wanted(state: State) -> Option<Wanted> {
    match state {
        State::Running | State::Starting | State::Backoff | State::Completed | State::Failed | State::GaveUp => {
            Some(Wanted::Up)
        }
        State::Stopping | State::Stopped => Some(Wanted::Down),
        State::NotInstalled | State::Unknown => None,
    }
}

/// The manager's own words: `active (running)`.
pub(super) fn raw(facts: &Facts) -> String {
    let listed = &facts.listed;
    match facts.result.as_str() {
        "" | "success" => format!("{} ({})", listed.active, listed.sub),
        result => format!("{} ({}), result {result}", listed.active, listed.sub),
    }
}

/// How the last run ended; None: it has not ended, or never was.
pub(super) fn last_exit(facts: &Facts) -> Option<LastExit> {
    let ended = facts.exit_time.is_some() && facts.exit_code != 0;
    let failed = !matches!(facts.result.as_str(), "" | "success");
    if !ended && !failed {
        return None;
    }
    let code = (ended && facts.exit_code == 1).then_some(facts.exit_status);
    let signal = (ended && facts.exit_code > 1).then(|| signal_name(facts.exit_status));
    Some(LastExit {
        code,
        reason: reason(facts, code, signal.as_deref()),
        signal,
        at: facts.exit_time.or(facts.changed).and_then(super::clock::rfc3339),
    })
}

fn reason(facts: &Facts, code: Option<i32>, signal: Option<&str>) -> String {
    let end = match (code, signal) {
        (Some(code), _) => match before_exec(code) {
            // systemd itself ends with these between fork and exec.
            Some(why) if facts.result == "exit-code" => format!("exited with code {code}: {why}"),
            _ => format!("exited with code {code}"),
        },
        (None, Some(signal)) if facts.exit_code == 3 => format!("killed by SIG{signal}, core dumped"),
        (None, Some(signal)) => format!("killed by SIG{signal}"),
        (None, None) => String::new(),
    };
    let why = match facts.result.as_str() {
        "timeout" => "it took longer than its time-out",
        "watchdog" => "it missed its heartbeat",
        "start-limit-hit" => "it was started too often",
        "oom-kill" => "it used more memory than it may",
        "protocol" => "it ended without saying that it is ready",
        "resources" => "systemd could not set up what it needs",
        "dependency" => "a unit that it requires failed",
        "condition" | "exec-condition" => "a condition was not met",
        _ => "",
    };
    match (end.is_empty(), why.is_empty()) {
        (false, true) => end,
        (false, false) => format!("{end}: {why}"),
        (true, false) => why.to_owned(),
        (true, true) => format!("systemd says `{}`", facts.result),
    }
}

/// systemd.exec(5), "Process Exit Codes".
fn before_exec(code: i32) -> Option<&'static str> {
    Some(match code {
        200 => "systemd could not change to its working folder",
        201 => "systemd could not set its priority",
        202 => "systemd could not hand over its file descriptors",
        203 => "systemd could not execute the program",
        204 => "systemd had no memory",
        205 => "systemd could not set its limits",
        209 => "systemd could not open its standard output",
        210 => "systemd could not change its root folder",
        214 => "systemd could not set its CPU scheduling",
        216 => "systemd could not change to its group",
        217 => "systemd could not change to its user",
        218 => "systemd could not set its capabilities",
        219 => "systemd could not move it to its control group",
        222 => "systemd could not open its standard error",
        226 => "systemd could not set up its view of the file system",
        227 => "systemd could not set no_new_privileges",
        228 => "systemd could not set its system call filter",
        235 => "systemd could not change the owner of one of its folders",
        237 => "systemd could not set its keyring",
        238 => "systemd could not make its state folder",
        240 => "systemd could not make its log folder",
        243 => "systemd could not set up its credentials",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::link::Listed;
    use super::*;
    use crate::backend::systemd::sample::service;

    fn facts(active: &str, sub: &str, result: &str) -> Facts {
        Facts {
            listed: Listed { load: "loaded".to_owned(), active: active.to_owned(), sub: sub.to_owned() },
            result: result.to_owned(),
            ..Facts::default()
        }
    }

    #[test]
    fn every_state_of_systemd_has_a_word() {
        let s = service();
        let mut oneshot = service();
        oneshot.kind = Kind::Oneshot;
        for (facts, service, expected) in [
            (facts("active", "running", "success"), &s, State::Running),
            (facts("reloading", "reload", "success"), &s, State::Running),
            (facts("activating", "start", "success"), &s, State::Starting),
            (facts("activating", "auto-restart", "exit-code"), &s, State::Backoff),
            (facts("deactivating", "stop-sigterm", "success"), &s, State::Stopping),
            (facts("inactive", "dead", "success"), &s, State::Stopped),
            (facts("failed", "failed", "exit-code"), &s, State::Failed),
            (facts("failed", "failed", "start-limit-hit"), &s, State::GaveUp),
            (facts("active", "exited", "success"), &oneshot, State::Completed),
            (facts("something", "new", "success"), &s, State::Unknown),
            (Facts::default(), &s, State::NotInstalled),
        ] {
            assert_eq!(state(service, &facts, None), expected, "{facts:?}");
        }
    }

    #[test]
    fn a_refused_restart_is_giving_up() {
        let s = service();
        let mut f = facts("failed", "failed", "exit-code");
        f.restarts = Some(6);
        assert_eq!(state(&s, &f, None), State::GaveUp);
        f.restarts = Some(2);
        assert_eq!(state(&s, &f, None), State::Failed);
    }

    #[test]
    fn an_armed_timer_is_a_running_task() {
        let mut task = service();
        task.kind = Kind::Task;
        let timer = facts("active", "waiting", "success");
        assert_eq!(state(&task, &facts("inactive", "dead", "success"), Some(&timer)), State::Running);
        assert_eq!(state(&task, &facts("inactive", "dead", "success"), None), State::Stopped);
        assert_eq!(state(&task, &facts("failed", "failed", "exit-code"), Some(&timer)), State::Failed);
    }

    #[test]
    fn exits_are_told_in_words() {
        let mut f = facts("failed", "failed", "exit-code");
        (f.exit_code, f.exit_status, f.exit_time) = (1, 203, Some(1));
        let exit = last_exit(&f).unwrap();
        assert_eq!(
            (exit.code, exit.reason.as_str()),
            (Some(203), "exited with code 203: systemd could not execute the program")
        );
        let mut f = facts("failed", "failed", "timeout");
        (f.exit_code, f.exit_status, f.exit_time) = (2, 9, Some(1));
        let exit = last_exit(&f).unwrap();
        assert_eq!(exit.signal.as_deref(), Some("KILL"));
        assert_eq!(exit.reason, "killed by SIGKILL: it took longer than its time-out");
        assert!(last_exit(&facts("active", "running", "success")).is_none());
    }
}
