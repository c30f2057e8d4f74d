//! `bootout` is asynchronous: it answers at once, and the label is taken until the process has ended.

use serde_json::json;

use crate::Bench;
use crate::support::{eventually, lives, signal};

fn stubborn(b: &Bench) -> i32 {
    b.load(
        "a",
        &["--print", "up", "ignore-term"],
        &json!({ "RunAtLoad": true, "ExitTimeOut": 60, "StandardOutPath": b.path("out") }),
    );
    // It says so once the signal is ignored.
    eventually("it ignores the signal", || b.text("out").contains("ignoring TERM"));
    b.model.pid("a")
}

#[test]
fn it_answers_while_the_process_still_runs() {
    let b = Bench::new();
    let pid = stubborn(&b);
    b.gui(&["bootout", "gui/501/a"]).ok();
    assert!(lives(pid));
    assert_eq!(b.shows("a", "state").as_deref(), Some("SIGTERMed"));
    assert_eq!(b.shows("a", "pid"), Some(pid.to_string()));
    // The label is taken: as the user it is error 5, as root it says why.
    let path = b.path("a.plist");
    let path = path.to_str().unwrap();
    b.gui(&["bootstrap", "gui/501", path]).exits(5).complains("Bootstrap failed: 5: Input/output error");
    b.root(&["bootstrap", "gui/501", path]).exits(37).complains("already bootstrapped");
    b.gui(&["kickstart", "gui/501/a"]).exits(37);
    b.gui(&["bootout", "gui/501/a"]).exits(36);
    b.gui(&["kill", "SIGKILL", "gui/501/a"]).ok();
    eventually("it is forgotten", || b.gui(&["print", "gui/501/a"]).code == 113);
    b.gui(&["bootstrap", "gui/501", path]).ok();
}

#[test]
fn after_its_exit_timeout_it_is_killed() {
    let b = Bench::new();
    b.model.set(&json!({ "exit_second": 5 }));
    let pid = stubborn(&b);
    b.gui(&["bootout", "gui/501/a"]).ok();
    eventually("it is forgotten", || b.gui(&["print", "gui/501/a"]).code == 113);
    assert!(!lives(pid));
    let signals: Vec<_> = b
        .model
        .history()
        .iter()
        .filter(|line| line["what"] == "signalled")
        .map(|line| line["signal"].clone())
        .collect();
    assert_eq!(signals, [15, 9]);
}

#[test]
fn an_exit_timeout_of_zero_is_for_ever_and_the_default_is_five_seconds() {
    let b = Bench::new();
    b.load("five", &["sleep"], &json!({ "RunAtLoad": true }));
    assert_eq!(b.shows("five", "exit timeout").as_deref(), Some("5"));
    b.model.set(&json!({ "exit_second": 1 }));
    b.load("ever", &["ignore-term"], &json!({ "RunAtLoad": true, "ExitTimeOut": 0, "StandardOutPath": b.path("out") }));
    eventually("it ignores the signal", || b.text("out").contains("ignoring TERM"));
    let pid = b.model.pid("ever");
    b.gui(&["bootout", "gui/501/ever"]).ok();
    // Another service comes and goes in the meantime, with a kill after its five milliseconds.
    b.gui(&["bootout", "gui/501/five"]).ok();
    eventually("the other one is gone", || b.gui(&["print", "gui/501/five"]).code == 113);
    assert_eq!(b.shows("ever", "state").as_deref(), Some("SIGTERMed"));
    signal(pid, nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn what_it_exits_with() {
    let b = Bench::new();
    b.gui(&["bootout", "gui/501/nothing"]).exits(3).complains("Boot-out failed: 3: No such process");
    b.model.set(&json!({ "not_loaded_code": 113 }));
    b.gui(&["bootout", "gui/501/nothing"]).exits(113);
    b.root(&["bootout", "system/com.apple.mDNSResponder"])
        .exits(150)
        .complains("Operation not permitted while System Integrity Protection is engaged");
    b.gui(&["bootout", "--wait", "gui/501/nothing"]).exits(64);
    b.gui(&["bootout", "system/nothing"]).exits(1);
    // 10.15 words a success like a failure.
    b.model.set(&json!({ "bootout_code": 36 }));
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true }));
    let path = b.path("a.plist");
    b.gui(&["bootout", "gui/501", path.to_str().unwrap()]).exits(36).complains("Operation now in progress");
    eventually("it is forgotten", || b.gui(&["print", "gui/501/a"]).code == 113);
}

#[test]
fn what_is_left_of_the_process_group_goes_with_the_job() {
    let b = Bench::new();
    for (label, abandon) in [("taken", false), ("left", true)] {
        let file = format!("{{dir}}/{label}.pid");
        b.load(
            label,
            &["grandchild", "--pid-file", &file],
            &json!({ "RunAtLoad": true, "AbandonProcessGroup": abandon }),
        );
        let read = || b.text(&format!("{label}.pid")).trim().parse().ok();
        eventually("the grandchild is there", || read().is_some());
        let grandchild: i32 = read().unwrap();
        b.gui(&["bootout", &format!("gui/501/{label}")]).ok();
        eventually("it is forgotten", || b.model.job(label).is_null());
        if abandon {
            assert!(lives(grandchild));
        } else {
            eventually("the grandchild is gone", || !lives(grandchild));
        }
    }
}
