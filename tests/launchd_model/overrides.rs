//! The override data base: `enable` and `disable` say what is loaded, and touch nothing that runs.

use serde_json::json;

use crate::Bench;
use crate::support::{eventually, lives};

#[test]
fn a_disabled_label_cannot_be_loaded_and_what_runs_runs_on() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true }));
    let pid = b.model.pid("a");
    b.gui(&["disable", "gui/501/a"]).ok();
    assert!(lives(pid));
    b.gui(&["bootout", "gui/501/a"]).ok();
    eventually("it is forgotten", || b.model.job("a").is_null());
    let path = b.path("a.plist");
    let path = path.to_str().unwrap();
    b.root(&["bootstrap", "gui/501", path]).exits(119).complains("Service is disabled");
    b.gui(&["bootstrap", "gui/501", path]).exits(5);
    b.gui(&["enable", "gui/501/a"]).ok();
    b.gui(&["bootstrap", "gui/501", path]).ok();
}

#[test]
fn it_takes_labels_that_nobody_knows_and_outlives_a_reboot() {
    let b = Bench::new();
    b.gui(&["disable", "gui/501/never-seen"]).ok();
    b.root(&["disable", "system/never-seen-either"]).ok();
    b.root(&["model", "reboot"]).ok();
    b.root(&["model", "login", "501"]).ok();
    b.gui(&["print-disabled", "gui/501"]).ok().says("\t\"never-seen\" => disabled\n");
    b.gui(&["print-disabled", "user/501"]).ok().says("\t\"never-seen\" => disabled\n");
    b.gui(&["print-disabled", "system"]).ok().says("never-seen-either");
}

#[test]
fn its_words_are_booleans_before_13() {
    let b = Bench::new();
    b.gui(&["disable", "gui/501/off"]).ok();
    b.gui(&["enable", "gui/501/on"]).ok();
    for (dialect, on, off) in [("10.14", "false", "true"), ("13", "enabled", "disabled"), ("26", "enabled", "disabled")]
    {
        b.model.set(&json!({ "dialect": dialect }));
        let wanted = format!("disabled services = {{\n\t\"off\" => {off}\n\t\"on\" => {on}\n}}\n");
        assert_eq!(b.gui(&["print-disabled", "gui/501"]).ok().out, wanted);
    }
}

#[test]
fn the_key_of_the_definition_is_only_a_hint() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({ "Disabled": true }));
    b.root(&["bootstrap", "gui/501", &path]).exits(119);
    b.gui(&["enable", "gui/501/a"]).ok();
    b.gui(&["bootstrap", "gui/501", &path]).ok();
}

#[test]
fn some_saw_that_a_disabled_job_is_not_respawned() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({ "KeepAlive": true }));
    for stays_down in [false, true] {
        b.model.set(&json!({ "disabled_stays_down": stays_down }));
        b.gui(&["disable", "gui/501/a"]).ok();
        let pid = b.model.pid("a");
        b.gui(&["kill", "KILL", "gui/501/a"]).ok();
        eventually("its end was seen", || b.model.job("a")["pid"] != pid);
        if stays_down {
            assert_eq!(b.shows("a", "state").as_deref(), Some("not running"));
        } else {
            b.wait_until_shows("a", "state", "running");
        }
    }
}
