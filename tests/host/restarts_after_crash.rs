use std::time::Duration;

use daemonctl::report::{Effect, State};
use daemonctl::service::{RestartLimit, RestartPolicy};

use super::support::*;

#[test]
fn a_killed_service_comes_back_and_is_counted() {
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Unchanged));
    let first = supervisor.main_pid("web");
    signal(first, libc::SIGKILL);
    let record =
        supervisor.wait("web", |record| record.machine.restarts == 1 && record.machine.word() == State::Running);
    assert_ne!(record.main.expect("a process").pid, i32::try_from(first).expect("a pid"));
    assert_eq!(record.last_exit().expect("an end").reason, "was killed by SIGKILL");
}

#[test]
fn a_service_that_dies_at_once_did_not_start_and_gives_up_in_the_end() {
    let supervisor = Supervisor::start();
    let mut dying = service("dying", sh("echo last words; exit 3"));
    dying.restart.limit = Some(RestartLimit { count: 2, within: Duration::from_secs(60) });
    supervisor.install(&dying);
    let trouble = supervisor.start_unit("dying").expect_err("it exits at once");
    assert_eq!(trouble.message, "`dying` did not start: it exited with code 3");
    assert!(supervisor.log("dying").contains("last words"));
    let record = supervisor.wait_state("dying", State::GaveUp);
    assert_eq!(record.machine.reason.as_deref(), Some("restarted 2 times within 1m; the last run exited with code 3"));
    assert_eq!(record.machine.restarts, 2);
}

#[test]
fn a_program_that_is_missing_is_named() {
    let supervisor = Supervisor::start();
    let mut missing = service("missing", vec!["/nowhere/at/all".to_owned()]);
    missing.restart.policy = RestartPolicy::Never;
    supervisor.install(&missing);
    let trouble = supervisor.start_unit("missing").expect_err("there is no such program");
    assert!(trouble.message.contains("cannot run `/nowhere/at/all`"), "{}", trouble.message);
    supervisor.wait_state("missing", State::Failed);
}

#[test]
fn a_stop_in_backoff_stops_and_a_start_starts_now() {
    let supervisor = Supervisor::start();
    let mut slow = service("slow", sh("test -e \"$0\" && exec sleep 100; exit 1"));
    slow.exec.push(supervisor.file("flag").display().to_string());
    slow.restart.delay = Duration::from_secs(600);
    slow.restart.max_delay = Duration::from_secs(600);
    supervisor.install(&slow);
    supervisor.start_unit("slow").expect_err("it exits");
    let record = supervisor.wait_state("slow", State::Backoff);
    assert!(record.machine.deadline.is_some());
    std::fs::write(supervisor.file("flag"), "").expect("write");
    assert_eq!(supervisor.start_unit("slow"), Ok(Effect::Started));
    signal(supervisor.main_pid("slow"), libc::SIGKILL);
    supervisor.wait_state("slow", State::Backoff);
    supervisor.stop_unit("slow").expect("stopped");
    supervisor.wait_state("slow", State::Stopped);
}
