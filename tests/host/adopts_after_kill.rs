use daemonctl::report::{Effect, State};

use super::support::*;

/// Writes a numbered line whenever it gets USR1, and counts at a steady pace otherwise.
fn counter() -> Vec<String> {
    sh("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done")
}

fn numbers(log: &str) -> Vec<u64> {
    log.lines().filter_map(|line| line.rsplit_once("line ")?.1.parse().ok()).collect()
}

#[test]
fn services_outlive_a_killed_supervisor_and_the_next_one_takes_them_over_with_their_output() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("web", counter()));
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    until(|| numbers(&supervisor.log("web")).len() > 20).expect("output");
    supervisor.kill();
    assert!(lives(main), "the service must not notice");
    let before = numbers(&supervisor.log("web")).len();
    // It writes on while nobody reads.
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(lives(main), "no SIGPIPE");
    supervisor.start_again();
    let record = supervisor.wait_state("web", State::Running);
    assert!(record.adopted);
    assert_eq!(supervisor.main_pid("web"), main);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Unchanged));
    until(|| numbers(&supervisor.log("web")).len() > before + 50).expect("output goes on");
    let numbers = numbers(&supervisor.log("web"));
    let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, wanted, "every line once, in order");

    signal(main, libc::SIGKILL);
    let record =
        supervisor.wait("web", |record| record.machine.restarts == 1 && record.machine.word() == State::Running);
    assert!(!record.adopted);
    assert_ne!(supervisor.main_pid("web"), main);
    supervisor.stop_unit("web").expect("stopped");
}

#[test]
fn a_stop_after_the_takeover_finds_the_whole_tree() {
    let mut supervisor = Supervisor::start();
    let mut exec = sh("(setsid sh -c 'echo $$ > \"$0\"; exec sleep 1000' \"$0\" &)\nexec sleep 1000");
    exec.push(supervisor.file("grandchild").display().to_string());
    supervisor.install(&service("web", exec));
    supervisor.start_unit("web").expect("started");
    let grandchild = pid_in(&supervisor.file("grandchild"));
    supervisor.kill();
    supervisor.start_again();
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(!lives(grandchild));
}

#[test]
fn what_died_while_no_supervisor_ran_is_started_again() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    supervisor.kill();
    signal(main, libc::SIGKILL);
    until(|| !lives(main)).expect("dead");
    supervisor.start_again();
    let record = supervisor.wait_state("web", State::Running);
    assert_eq!(record.machine.restarts, 1);
    assert!(record.last_exit().expect("an end").reason.contains("nobody saw"));
}

#[test]
fn a_second_supervisor_is_refused() {
    let supervisor = Supervisor::start();
    let error = daemonctl::host::supervise(&supervisor.layout, daemonctl::host::Supervise::Foreground)
        .expect_err("one is enough");
    assert!(error.to_string().contains("another supervisor"), "{error}");
}

#[test]
fn a_whole_run_that_was_never_written_down_is_found_and_not_doubled() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let first = supervisor.main_pid("web");
    supervisor.wait_state("web", State::Running);
    let state = daemonctl::host::state::path(&supervisor.layout);
    let old = std::fs::read(&state).expect("a state file");
    supervisor.verb(daemonctl::host::control::Ask::Restart, &["web"]);
    let second = supervisor.wait("web", |record| record.main.is_some_and(|main| main.pid.unsigned_abs() != first));
    let second = second.main.expect("a main process").pid.unsigned_abs();
    supervisor.kill();
    // As if it was killed before it wrote down that one run ended and another began.
    std::fs::write(&state, old).expect("write");
    supervisor.start_again();
    let record = supervisor.wait_state("web", State::Running);
    assert!(record.adopted);
    assert_eq!((supervisor.main_pid("web"), record.machine.restarts), (second, 0));
    assert!(lives(second) && !lives(first));
    supervisor.stop_unit("web").expect("stopped");
    assert!(!lives(second));
}
