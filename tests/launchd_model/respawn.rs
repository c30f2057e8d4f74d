//! Which ends are followed by a new start, and when.

use serde_json::{Value, json};

use crate::Bench;
use crate::support::eventually;

/// Whether a job that ends so is started a second time.
fn comes_back(b: &Bench, label: &str, ends: &[&str], keep_alive: &Value) -> bool {
    b.load(label, ends, &json!({ "RunAtLoad": true, "KeepAlive": keep_alive }));
    eventually("it has settled", || {
        let job = b.model.job(label);
        job["phase"] == "down" || job["runs"].as_u64() >= Some(2)
    });
    let back = b.model.job(label)["runs"].as_u64() >= Some(2);
    b.gui(&["bootout", &format!("gui/501/{label}")]);
    back
}

#[test]
fn each_condition_of_keep_alive() {
    let b = Bench::new();
    let ends: [&[&str]; 4] = [&["exit", "0"], &["exit", "3"], &["crash", "KILL"], &["crash", "SEGV"]];
    for (row, (keep_alive, wanted)) in [
        (json!(false), [false, false, false, false]),
        (json!(true), [true, true, true, true]),
        (json!({ "SuccessfulExit": false }), [false, true, true, true]),
        (json!({ "SuccessfulExit": true }), [true, false, false, false]),
        // Only signals of a crash: a kill is none.
        (json!({ "Crashed": true }), [false, false, false, true]),
    ]
    .iter()
    .enumerate()
    {
        for (column, end) in ends.iter().enumerate() {
            let back = comes_back(&b, &format!("a{row}{column}"), end, keep_alive);
            assert_eq!(back, wanted[column], "{keep_alive} after {end:?}");
        }
    }
}

#[test]
fn a_job_that_dies_early_is_held_back_until_its_throttle_has_passed() {
    let b = Bench::new();
    b.model.set(&json!({ "spawn_second": 60_000 }));
    b.load("a", &["exit", "3"], &json!({ "KeepAlive": true }));
    b.wait_until_shows("a", "state", "spawn scheduled");
    assert_eq!(b.shows("a", "minimum runtime").as_deref(), Some("10"));
    assert_eq!(b.shows("a", "runs").as_deref(), Some("1"));
    assert_eq!(b.shows("a", "last exit code").as_deref(), Some("3"));
    assert_eq!(b.shows("a", "pid"), None);
    // A demand does not wait.
    b.gui(&["kickstart", "gui/501/a"]).ok();
    b.wait_until_shows("a", "runs", "2");
    b.wait_until_shows("a", "state", "spawn scheduled");
}

#[test]
fn the_time_counts_from_the_last_start() {
    let b = Bench::new();
    b.model.set(&json!({ "spawn_second": 100 }));
    b.load("a", &["exit", "3"], &json!({ "KeepAlive": true, "ThrottleInterval": 3 }));
    eventually("three runs", || b.model.job("a")["runs"].as_u64() >= Some(3));
    let starts: Vec<_> = b
        .model
        .history()
        .iter()
        .filter(|line| line["what"] == "spawned")
        .map(|line| line["ms"].as_u64().unwrap())
        .collect();
    for pair in starts.windows(2) {
        assert!(pair[1] - pair[0] >= 295, "{starts:?}");
    }
}

#[test]
fn there_is_no_giving_up_and_a_throttle_of_zero_is_ignored() {
    let b = Bench::new();
    b.load("a", &["exit", "3"], &json!({ "KeepAlive": true, "ThrottleInterval": 0 }));
    assert_eq!(b.shows("a", "minimum runtime").as_deref(), Some("10"));
    eventually("many runs", || b.model.job("a")["runs"].as_u64() >= Some(15));
}

#[test]
fn an_interval_runs_it_again_and_again() {
    let b = Bench::new();
    b.load("a", &["append", "{dir}/log", "run"], &json!({ "StartInterval": 15 }));
    eventually("three runs", || b.text("log").lines().count() >= 3);
    assert_eq!(b.shows("a", "run interval").as_deref(), Some("15 seconds"));
}

#[test]
fn a_polite_stop_of_a_job_that_keeps_alive_brings_it_back() {
    let b = Bench::new();
    b.load("a", &["graceful"], &json!({ "KeepAlive": true, "StandardOutPath": b.path("out") }));
    eventually("it listens", || b.text("out").contains("ready"));
    let pid = b.model.pid("a");
    b.gui(&["kill", "SIGTERM", "gui/501/a"]).ok();
    eventually("another process", || b.model.job("a")["pid"].as_i64().is_some_and(|now| now != i64::from(pid)));
    // One that comes back only after a failure stays down.
    b.load(
        "b",
        &["graceful"],
        &json!({ "KeepAlive": { "SuccessfulExit": false }, "StandardOutPath": b.path("b.out") }),
    );
    eventually("it listens", || b.text("b.out").contains("ready"));
    b.gui(&["kill", "15", "gui/501/b"]).ok();
    b.wait_until_shows("b", "state", "not running");
    assert_eq!(b.shows("b", "last exit code").as_deref(), Some("0"));
    b.gui(&["kill", "15", "gui/501/b"]).exits(3).complains("No process to signal");
}
