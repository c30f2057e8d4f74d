//! What a service uses is sampled where the manifest has thresholds, and crossing one is an event, once.
#![cfg(target_os = "linux")]

use std::time::Duration;

use daemonctl::events::{Event, Measure, Query, What};
use daemonctl::host::events::read;
use daemonctl::service::{RestartPolicy, Thresholds};

use super::support::*;

fn crossings(supervisor: &Supervisor) -> Vec<(What, Event)> {
    let events = read::all(&supervisor.layout, &|_| true, &Query::default()).expect("a journal");
    let crossed = |event: &Event| matches!(event.event, What::OverThreshold | What::UnderThreshold);
    events.into_iter().filter(crossed).map(|event| (event.event, event)).collect()
}

#[test]
fn memory_counts_for_the_whole_tree_and_is_told_once() {
    let supervisor = Supervisor::start();
    // The memory is in a process that has left the session and lost its parent.
    let hog = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); echo full; sleep 1000; :";
    let mut web = service("web", sh("(setsid sh -c \"$0\" &) ; exec sleep 1000"));
    web.exec.push(hog.to_owned());
    web.thresholds = Thresholds { memory: Some(30 << 20), ..Thresholds::default() };
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    until(|| !crossings(&supervisor).is_empty()).expect("a crossing");
    let measured = crossings(&supervisor)[0].1.measured.expect("what was measured");
    assert_eq!(measured.measure, Measure::Memory);
    assert!(measured.value > f64::from(30 << 20) && measured.value < 1e9, "{measured:?}");
    let mut status = daemonctl::report::Status::not_installed("web", "embedded", supervisor.layout.scope);
    let told = supervisor.wait("web", |record| record.meter.iter().any(|meter| meter.over().count() == 1));
    told.describe(&mut status, daemonctl::host::sys::monotonic(), daemonctl::system::now(), false);
    assert!(status.notes.iter().any(|note| note == "memory is over its threshold"), "{:?}", status.notes);
    supervisor.stop_unit("web").expect("stopped");
    until(|| crossings(&supervisor).len() == 2).expect("the end of it");
    let words: Vec<What> = crossings(&supervisor).iter().map(|(what, _)| *what).collect();
    assert_eq!(words, [What::OverThreshold, What::UnderThreshold]);
}

#[test]
fn processor_time_is_averaged_over_seconds() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("while :; do :; done"));
    web.thresholds = Thresholds { cpu: Some(0.05), ..Thresholds::default() };
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    until(|| !crossings(&supervisor).is_empty()).expect("a crossing");
    let event = &crossings(&supervisor)[0].1;
    let reason = event.reason.as_deref().unwrap_or_default();
    assert!(reason.starts_with("cpu is ") && reason.ends_with("over 0.05 cores"), "{reason}");
    supervisor.stop_unit("web").expect("stopped");
}

#[test]
fn restarts_of_an_hour_are_told_once_and_a_new_supervisor_does_not_tell_again() {
    let mut supervisor = Supervisor::start();
    let mut web = service("web", sh("sleep 0.01; exit 3"));
    web.restart.policy = RestartPolicy::Always;
    web.restart.factor = 1.0;
    web.restart.delay = Duration::from_millis(10);
    web.thresholds = Thresholds { restarts_per_hour: Some(3), ..Thresholds::default() };
    supervisor.install(&web);
    // However its first run ends.
    let _ = supervisor.start_unit("web");
    supervisor.wait("web", |record| record.machine.restarts > 6);
    supervisor.kill();
    supervisor.start_again();
    let restarts = supervisor.wait("web", |_| true).machine.restarts;
    supervisor.wait("web", |record| record.machine.restarts > restarts + 6);
    let told = crossings(&supervisor);
    assert_eq!(told.len(), 1, "{told:?}");
    let measured = told[0].1.measured.expect("what was measured");
    assert_eq!((measured.measure, measured.threshold), (Measure::Restarts, 3.0));
    assert_eq!(measured.value.to_bits(), 4_f64.to_bits());
    supervisor.stop_unit("web").expect("stopped");
}
