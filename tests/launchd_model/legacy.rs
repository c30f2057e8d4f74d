//! The verbs of old exit with 0 whatever happens: that is why nobody should use them.

use serde_json::json;

use crate::Bench;
use crate::support::eventually;

#[test]
fn load_and_unload_exit_with_0_and_complain() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({ "RunAtLoad": true }));
    b.gui(&["load", &path]).ok();
    assert_eq!(b.model.job("a")["domain"], "gui/501", "it guesses the domain");
    b.gui(&["load", &path]).ok().complains("Load failed: 5: Input/output error");
    b.gui(&["load", "/nowhere.plist"]).ok().complains("Try running `launchctl bootstrap` as root for richer errors.");
    b.gui(&["unload", "-w", &path]).ok();
    eventually("it is forgotten", || b.model.job("a").is_null());
    b.gui(&["print-disabled", "gui/501"]).ok().says("\"a\" => disabled");
    b.gui(&["unload", &path]).ok().complains("Unload failed: 5");
}

#[test]
fn start_stop_and_remove() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({}));
    b.gui(&["start", "a"]).ok();
    b.wait_until_shows("a", "state", "running");
    b.gui(&["stop", "a"]).ok();
    b.wait_until_shows("a", "state", "not running");
    b.gui(&["start", "none"]).exits(3);
    b.gui(&["remove", "a"]).ok();
    assert!(b.model.job("a").is_null());
}
