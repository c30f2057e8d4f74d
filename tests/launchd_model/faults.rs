//! Every kind of fault that a test can inject does what it says.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::Bench;
use crate::support::eventually;

#[test]
fn a_failure_of_the_second_call_with_or_without_effect() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({}));
    b.model.fault(&json!({ "verb": "bootstrap", "after": 1, "times": 1, "what": { "fail": 125 } }));
    let other = b.define("b", &["sleep"], &json!({}));
    b.gui(&["bootstrap", "gui/501", &path]).ok();
    b.gui(&["bootstrap", "gui/501", &other]).exits(125).complains("Bootstrap failed: 125: Domain does not support");
    assert!(b.model.job("b").is_null());
    b.gui(&["bootstrap", "gui/501", &other]).ok();
    assert_eq!(b.model.struck(), 1);
    b.model.fault(&json!({ "verb": "bootout", "of": "/a", "what": { "fail-after": 36 } }));
    b.gui(&["bootout", "gui/501/a"]).exits(36);
    assert!(b.model.job("a").is_null());
    b.gui(&["bootout", "gui/501/b"]).ok();
    b.gui(&["model", "clear"]).ok();
}

#[test]
fn a_call_that_does_nothing_comes_late_or_is_cut_short() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({}));
    b.model.fault(&json!({ "verb": "bootstrap", "times": 1, "what": "nothing" }));
    b.gui(&["bootstrap", "gui/501", &path]).ok();
    assert!(b.model.job("a").is_null());
    b.model.fault(&json!({ "verb": "bootstrap", "times": 1, "what": { "delay": 50 } }));
    let before = std::time::Instant::now();
    b.gui(&["bootstrap", "gui/501", &path]).ok();
    assert!(before.elapsed().as_millis() >= 50);
    assert!(b.model.job("a").is_object());
    b.model.fault(&json!({ "verb": "print", "times": 1, "what": { "truncate": 20 } }));
    assert_eq!(b.gui(&["print", "gui/501/a"]).ok().out.len(), 20);
    b.model.fault(&json!({ "verb": "print", "times": 1, "what": { "words": "Nicht gefunden." } }));
    b.gui(&["print", "gui/501/none"]).exits(113).complains("Nicht gefunden.");
}

#[test]
fn a_call_that_never_answers_done_or_not() {
    let b = Bench::new();
    for (label, what, done) in [("a", "hang", false), ("b", "hang-after", true)] {
        let path = b.define(label, &["sleep"], &json!({}));
        b.model.fault(&json!({ "verb": "bootstrap", "times": 1, "what": what }));
        let mut hung = Command::new(b.model.launchctl())
            .args(["bootstrap", "gui/501", &path])
            .env("LAUNCHD_MODEL_UID", "501")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("it was asked", || b.model.verbs(&path).contains(&"bootstrap".to_owned()));
        assert!(hung.try_wait().unwrap().is_none());
        assert_eq!(b.model.job(label).is_object(), done);
        hung.kill().unwrap();
        hung.wait().unwrap();
    }
}
