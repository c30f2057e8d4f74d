use std::time::Duration;

use daemonctl::events::{Query, What};
use daemonctl::host::client;
use daemonctl::host::control::{Answer, Ask};
use daemonctl::host::events::read;
use daemonctl::report::{Effect, State};
use daemonctl::service::{Hook, HookAction, HookFailure};

use super::support::*;

fn numbers(log: &str) -> Vec<u64> {
    log.lines().filter_map(|line| line.rsplit_once("line ")?.1.strip_suffix(" end")?.parse().ok()).collect()
}

/// Numbered lines, each written in two halves.
fn counter() -> Vec<String> {
    sh("i=0; while :; do i=$((i+1)); printf 'line %s' $i; sleep 0.002; echo ' end'; done")
}

fn reexec(supervisor: &Supervisor) {
    let program = std::env::current_exe().expect("this test");
    assert!(client::reexec(&supervisor.layout, &program).expect("another program"));
}

#[test]
fn services_keep_their_process_and_lose_no_line_and_their_exit_code_is_seen() {
    let supervisor = Supervisor::start();
    let mut web = service("web", counter());
    web.logs.format = daemonctl::service::LogFormat::Timestamped;
    supervisor.install(&web);
    supervisor.install(&service("other", sh("trap 'exit 7' USR1; while :; do sleep 0.01; done")));
    supervisor.start_unit("web").expect("started");
    supervisor.start_unit("other").expect("started");
    let (web, other) = (supervisor.main_pid("web"), supervisor.main_pid("other"));
    until(|| numbers(&supervisor.log("web")).len() > 20).expect("output");
    for _ in 0..5 {
        let before = numbers(&supervisor.log("web")).len();
        reexec(&supervisor);
        // Nobody waits: requests are answered at once.
        assert_eq!(supervisor.start_unit("web"), Ok(Effect::Unchanged));
        until(|| numbers(&supervisor.log("web")).len() > before + 20).expect("output goes on");
    }
    let hello = supervisor.ask(Ask::Hello);
    assert!(matches!(hello.first(), Some(Answer::Hello { pid, .. }) if *pid == supervisor.pid()), "{hello:?}");
    assert_eq!((supervisor.main_pid("web"), supervisor.main_pid("other")), (web, other));
    let log = supervisor.log("web");
    let numbers = numbers(&log);
    let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, wanted, "every line once, whole, in order");
    assert!(log.lines().count() <= numbers.len() + 1, "no line is cut in two");

    assert!(!supervisor.wait_state("other", State::Running).adopted);
    signal(other, libc::SIGUSR1);
    let record =
        supervisor.wait("other", |record| record.machine.restarts == 1 && record.machine.word() == State::Running);
    assert_eq!(record.last_exit().expect("an end").code, Some(7));
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(!lives(web));
}

#[test]
fn a_second_supervisor_is_refused_all_the_time_and_a_term_is_heard_after_it() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    reexec(&supervisor);
    let error = daemonctl::host::supervise(&supervisor.layout, daemonctl::host::Supervise::Foreground)
        .expect_err("one is enough");
    assert!(error.to_string().contains("another supervisor"), "{error}");
    let events = read::all(&supervisor.layout, &|_| true, &Query::default()).expect("a journal");
    assert!(events.iter().any(|event| event.event == What::Adopted && event.pid == Some(main)), "{events:?}");
    assert!(supervisor.term());
    assert!(!lives(main));
}

#[test]
fn who_waits_for_a_unit_has_its_answer_first_and_what_is_no_program_is_refused() {
    let supervisor = Supervisor::start();
    let mut web = service("web", child(&["sleep"]));
    let hook = sh("sleep 0.3");
    web.hooks.pre_start = vec![Hook {
        action: HookAction::Command(hook),
        timeout: Duration::from_secs(20),
        on_failure: HookFailure::Abort,
        secret: None,
    }];
    supervisor.install(&web);
    let error = client::reexec(&supervisor.layout, std::path::Path::new("/nowhere/at/all")).expect_err("refused");
    assert!(error.to_string().contains("is no program"), "{error}");
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| supervisor.start_unit("web"));
        supervisor.wait_state("web", State::Starting);
        reexec(&supervisor);
        assert_eq!(starting.join().expect("no panic"), Ok(Effect::Started));
    });
    supervisor.wait_state("web", State::Running);
    supervisor.stop_unit("web").expect("stopped");
}
