//! A real supervisor with real services in a temporary folder. One file of `host/` a behaviour.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "host/adopts_a_crowd.rs"]
mod adopts_a_crowd;
#[path = "host/adopts_after_kill.rs"]
mod adopts_after_kill;
#[path = "host/archives_rotated_files.rs"]
mod archives_rotated_files;
#[path = "host/bears_clock_steps.rs"]
mod bears_clock_steps;
#[path = "host/bears_crash_loops.rs"]
mod bears_crash_loops;
#[path = "host/bears_slow_probes.rs"]
mod bears_slow_probes;
#[path = "host/bears_slow_webhooks.rs"]
mod bears_slow_webhooks;
#[path = "host/calls_webhooks.rs"]
mod calls_webhooks;
#[path = "host/carries_a_thousand.rs"]
mod carries_a_thousand;
#[path = "host/ends_when_empty.rs"]
mod ends_when_empty;
#[path = "host/forks_and_leaves.rs"]
mod forks_and_leaves;
#[path = "host/hands_over_credentials.rs"]
mod hands_over_credentials;
#[path = "host/keeps_intent.rs"]
mod keeps_intent;
#[path = "host/keeps_odd_bytes.rs"]
mod keeps_odd_bytes;
#[cfg(target_os = "linux")]
#[path = "host/keeps_what_nobody_reads.rs"]
mod keeps_what_nobody_reads;
#[path = "host/kills_tree_after_grace.rs"]
mod kills_tree_after_grace;
#[path = "host/leaves_strangers_alone.rs"]
mod leaves_strangers_alone;
#[path = "host/lets_go_of_held_pipes.rs"]
mod lets_go_of_held_pipes;
#[path = "host/limits_resources.rs"]
mod limits_resources;
#[path = "host/listens_to_the_impolite.rs"]
mod listens_to_the_impolite;
#[path = "host/loses_nothing_when_killed.rs"]
mod loses_nothing_when_killed;
#[path = "host/manages_units.rs"]
mod manages_units;
#[path = "host/orders_by_dependency.rs"]
mod orders_by_dependency;
#[path = "host/outlives_log_troubles.rs"]
mod outlives_log_troubles;
#[path = "host/reexecutes_in_place.rs"]
mod reexecutes_in_place;
#[path = "host/restarts_after_crash.rs"]
mod restarts_after_crash;
#[path = "host/runs_as_pid_one.rs"]
mod runs_as_pid_one;
#[path = "host/schedules_tasks.rs"]
mod schedules_tasks;
#[path = "host/shims_one_service.rs"]
mod shims_one_service;
#[path = "host/support.rs"]
mod support;
#[path = "host/survives_floods.rs"]
mod survives_floods;
#[path = "host/tells_events.rs"]
mod tells_events;
#[path = "host/waits_until_ready.rs"]
mod waits_until_ready;
#[path = "host/watches_files.rs"]
mod watches_files;
#[path = "host/watches_thresholds.rs"]
mod watches_thresholds;
#[path = "host/writes_logs.rs"]
mod writes_logs;

/// Sees the time that is written to the folder's clock.
fn follow_clock(folder: &std::path::Path) {
    use std::io::BufRead;
    // Open for writing too, so that it does not end with who wrote last.
    let clock = std::fs::File::options().read(true).write(true).open(folder.join(support::CLOCK)).expect("a clock");
    for line in std::io::BufReader::new(clock).lines() {
        let line = line.expect("a time");
        daemonctl::host::wall::set_ahead(line.parse().expect("seconds"));
        std::fs::write(folder.join(support::CLOCK_SHOWS), line).expect("write");
    }
}

/// Not a test: what `support::Supervisor` runs as a process of its own.
#[test]
#[ignore = "run by the tests, as their supervisor"]
fn supervisor_process() {
    if let Some(folder) = std::env::var_os("DAEMONCTL_TEST_FOLDER") {
        let folder = std::path::PathBuf::from(folder);
        let layout = support::layout(&folder);
        if folder.join(support::CLOCK).exists() {
            let folder = folder.clone();
            std::thread::spawn(move || follow_clock(&folder));
        }
        let on_demand = folder.join(support::ON_DEMAND).exists();
        let how = if on_demand { daemonctl::host::Supervise::OnDemand } else { daemonctl::host::Supervise::Foreground };
        daemonctl::host::supervise(&layout, how).expect("supervise");
    }
}

/// Not a test: what `shims_one_service` runs as a process of its own.
#[test]
#[ignore = "run by the tests, as their shim"]
fn shim_process() {
    if let Some(folder) = std::env::var_os("DAEMONCTL_TEST_FOLDER") {
        let folder = std::path::Path::new(&folder);
        let spec = std::fs::read(folder.join("spec.json")).expect("a spec");
        let service = serde_json::from_slice(&spec).expect("a spec");
        let exit = daemonctl::host::run_one(service, &support::layout(folder)).expect("run");
        std::process::exit(exit.code().into());
    }
}
