//! A launchctl that never answers ends in exit 8, and what is told is true.

use serde_json::{Value, json};

use crate::support::{Ran, Test};

/// Runs the program with a short deadline for each call of launchctl; no answer takes so long on a busy machine.
fn run(t: &Test, args: &[&str]) -> Ran {
    let mut command = t.command(args);
    command.env("DAEMONCTL_LAUNCHCTL_DEADLINE", "2000");
    Ran::of(command, args)
}

/// What the status says is what there is.
#[track_caller]
fn is_true(t: &Test) {
    let (status, job) = (t.status("{p}a"), t.job("a"));
    assert_eq!(status["state"] == "running", job["pid"].is_i64(), "{status:#} but {job:#}");
    if status["hosted"] != Value::Bool(true) {
        assert_eq!(status["pid"], job["pid"], "{status:#} but {job:#}");
    }
}

#[test]
fn whichever_verb_hangs() {
    let Some(t) = Test::live("hangs") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    let absent = t.machine();
    for what in ["hang", "hang-after"] {
        for verb in ["bootstrap", "enable"] {
            t.model().fault(&json!({ "verb": verb, "times": 1, "what": what }));
            let ran = run(&t, &["install", "manifest.toml"]);
            if t.model().struck() == 0 {
                assert_eq!(ran.code, 0, "{ran}");
                t.model().run(&["model", "clear"]).ok();
                t.run(&["uninstall", "--all"]).ok();
                continue;
            }
            assert_eq!(ran.code, 8, "{verb} {what}: {ran}");
            t.model().run(&["model", "clear"]).ok();
            assert_eq!(t.machine(), absent, "{verb} {what}: {ran}");
            assert!(t.job("a").is_null(), "{verb} {what}: {ran}");
            t.run(&["status", "{p}a"]).exits(4);
        }
        t.install().ok();
        for (verb, args) in [("bootout", "stop"), ("kill", "stop"), ("bootout", "restart"), ("bootstrap", "restart")] {
            t.model().fault(&json!({ "verb": verb, "times": 1, "what": what }));
            let ran = run(&t, &[args, "{p}a"]);
            assert_eq!(ran.code, if t.model().struck() > 0 { 8 } else { 0 }, "{args}, {verb} {what}: {ran}");
            t.model().run(&["model", "clear"]).ok();
            is_true(&t);
            t.run(&["start", "{p}a"]).ok();
            is_true(&t);
        }
        t.run(&["uninstall", "--all"]).ok();
    }
}

#[test]
fn a_kickstart_that_blocks_for_ever() {
    let Some(t) = Test::live("kick_hangs") else { return };
    // Held back by launchd, so that a kickstart is needed; and that one hangs.
    t.model().set(&json!({ "pended": true }));
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    let absent = t.machine();
    t.model().fault(&json!({ "verb": "kickstart", "times": 1, "what": "hang" }));
    run(&t, &["install", "manifest.toml"]).exits(8).complains("kickstart");
    t.model().run(&["model", "clear"]).ok();
    assert_eq!(t.machine(), absent);
    t.run(&["status", "{p}a"]).exits(4);
    assert!(t.job("a").is_null());
    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    t.model().fault(&json!({ "verb": "kickstart", "times": 1, "what": "hang" }));
    run(&t, &["start", "{p}a"]).exits(8);
    t.model().run(&["model", "clear"]).ok();
    is_true(&t);
    t.run(&["start", "{p}a"]).ok();
    is_true(&t);
}

#[test]
fn a_print_that_hangs() {
    let Some(t) = Test::live("print_hangs") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let label = t.label("a");
    t.model().fault(&json!({ "verb": "print", "of": label, "what": "hang" }));
    let ran = run(&t, &["status", "{p}a", "--json"]);
    assert!(!ran.stdout.contains("\"running\""), "what was not seen must not be said:\n{ran}");
    assert_eq!(ran.code, 8, "{ran}");
    t.model().run(&["model", "clear"]).ok();
    is_true(&t);
}
