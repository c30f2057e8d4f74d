//! `kickstart`: a demand.

use serde_json::json;

use crate::Bench;
use crate::support::{eventually, lives};

#[test]
fn of_a_job_that_runs_it_does_nothing() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true }));
    let pid = b.model.pid("a");
    let said = b.gui(&["kickstart", "gui/501/a"]).ok();
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    assert_eq!(b.gui(&["kickstart", "-p", "gui/501/a"]).ok().out, format!("{pid}\n"));
    assert_eq!(b.model.pid("a"), pid);
}

#[test]
fn with_k_it_is_a_new_process_and_not_a_graceful_end() {
    let b = Bench::new();
    b.load("a", &["graceful"], &json!({ "RunAtLoad": true, "StandardOutPath": b.path("out") }));
    eventually("it listens", || b.text("out").contains("ready"));
    for (signal, graceful) in [(9, false), (15, true)] {
        b.model.set(&json!({ "kick_signal": signal }));
        let pid = b.model.pid("a");
        std::fs::write(b.path("out"), "").unwrap();
        let said = b.gui(&["kickstart", "-kp", "gui/501/a"]).ok();
        assert!(!lives(pid));
        assert_eq!(said.out, format!("{}\n", b.model.pid("a")), "it answers when the new one is there");
        eventually("it listens", || b.text("out").contains("ready"));
        assert_eq!(b.text("out").contains("stopping"), graceful);
    }
}

#[test]
fn it_may_block_for_ever_when_the_last_spawn_failed_with_78() {
    let b = Bench::new();
    b.model.set(&json!({ "kick_hangs_on_config": true, "spawn_second": 60_000 }));
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true, "WorkingDirectory": "/nowhere" }));
    b.wait_until_shows("a", "state", "spawn scheduled");
    let mut hung = std::process::Command::new(b.model.launchctl())
        .args(["kickstart", "gui/501/a"])
        .env("LAUNCHD_MODEL_UID", "501")
        .spawn()
        .unwrap();
    eventually("it was asked", || b.model.verbs("gui/501/a").contains(&"kickstart".to_owned()));
    // Others are answered; the caller is not.
    b.gui(&["print", "gui/501/a"]).ok();
    assert!(hung.try_wait().unwrap().is_none());
    hung.kill().unwrap();
    hung.wait().unwrap();
}
