//! A task that is started is armed: it runs when its schedule says so, and never twice at a time.

use std::fs;
use std::path::Path;
use std::time::Duration;

use daemonctl::events::{Query, What};
use daemonctl::host::events;
use daemonctl::host::machine::Current;
use daemonctl::report::{Effect, State};
use daemonctl::service::{Calendar, Kind, RestartPolicy, Schedule, ScheduleWhen, Service};

use super::support::*;

fn task(exec: Vec<String>, when: ScheduleWhen, persistent: bool) -> Service {
    let mut job = service("job", exec);
    job.kind = Kind::Task;
    job.restart.policy = RestartPolicy::Never;
    job.schedule = Some(Box::new(Schedule { when, jitter: Duration::ZERO, persistent }));
    job
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map(|text| text.lines().count()).unwrap_or_default()
}

#[test]
fn it_runs_again_and_again_whatever_became_of_a_run_until_it_is_stopped() {
    let supervisor = Supervisor::start();
    let runs = supervisor.file("runs");
    let every = ScheduleWhen::Every(Duration::from_millis(200));
    supervisor.install(&task(sh(&format!("echo run >> {}; exit 3", runs.display())), every, false));
    assert_eq!(supervisor.start_unit("job").expect("armed"), Effect::Started);
    let armed = supervisor.record("job").expect("a record");
    assert_eq!((lines(&runs), armed.machine.word()), (0, State::Running), "the first run comes a period later");
    assert!(armed.runs.as_ref().is_some_and(|runs| runs.next > runs.since && runs.last.is_none()), "{:?}", armed.runs);
    assert_eq!(supervisor.start_unit("job").expect("armed"), Effect::Unchanged);
    until(|| lines(&runs) >= 3).expect("it runs");
    let record = supervisor.wait("job", |record| record.machine.current == Current::Armed);
    assert_eq!(record.machine.word(), State::Failed, "its last run failed, and it is armed all the same");
    assert!(record.runs.as_ref().is_some_and(|runs| runs.last.is_some() && runs.next > runs.last));
    assert_eq!(supervisor.stop_unit("job").expect("stopped"), Effect::Stopped);
    let after = lines(&runs);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(lines(&runs), after);
    let record = supervisor.record("job").expect("a record");
    assert_eq!((record.machine.word(), record.runs.and_then(|runs| runs.next)), (State::Stopped, None));
}

#[test]
fn a_run_that_is_due_while_the_last_goes_on_is_passed_over_and_said_so() {
    let supervisor = Supervisor::start();
    let runs = supervisor.file("runs");
    let every = ScheduleWhen::Every(Duration::from_millis(150));
    supervisor.install(&task(sh(&format!("echo run >> {}; exec sleep 1000", runs.display())), every, false));
    supervisor.start_unit("job").expect("armed");
    let record =
        supervisor.wait("job", |record| record.runs.as_ref().is_some_and(|runs| runs.skipped.as_ref().is_some()));
    let said = record.runs.and_then(|runs| runs.skipped).expect("said");
    assert!(said.contains("was passed over"), "{said}");
    let told = || events::read::all(&supervisor.layout, &|_| true, &Query::default()).expect("a journal");
    until(|| told().iter().any(|event| event.event == What::Skipped && event.reason.as_ref() == Some(&said)))
        .expect("told");
    assert_eq!(lines(&runs), 1);
    let main = supervisor.main_pid("job");
    supervisor.stop_unit("job").expect("stopped");
    assert!(!lives(main));
}

#[test]
fn the_next_supervisor_goes_on_and_a_missed_run_is_made_up_for() {
    let mut supervisor = Supervisor::start();
    let runs = supervisor.file("runs");
    // Twice a year at most: nothing but the catch-up runs it now.
    let calendar =
        Calendar { months: vec![1, 7], days: vec![1], hours: vec![4], minutes: vec![7], ..Calendar::default() };
    supervisor.install(&task(sh(&format!("echo run >> {}", runs.display())), ScheduleWhen::Calendar(calendar), true));
    supervisor.enable("job");
    supervisor.start_unit("job").expect("armed");
    let next = supervisor.wait("job", |record| record.runs.as_ref().is_some_and(|runs| runs.next.is_some()));
    supervisor.kill();
    supervisor.start_again();
    let record = supervisor.wait("job", |record| record.machine.current == Current::Armed);
    assert_eq!(record.runs, next.runs);
    assert!(supervisor.term());
    // The machine was off for two years.
    let kept = supervisor.layout.state.join("runs/job");
    assert!(kept.exists());
    fs::write(&kept, r#"{"since":"2001-01-01T00:00:00Z","last":"2001-01-02T00:00:00Z","next":null}"#).expect("write");
    supervisor.start_again();
    until(|| lines(&runs) == 1).expect("the missed run");
    let record = supervisor.wait("job", |record| record.machine.current == Current::Armed);
    assert!(record.runs.is_some_and(|runs| runs.next > runs.last));
    assert_eq!(lines(&runs), 1, "once for all that was missed");
}
