//! Spawns that launchd holds back: loaded, and yet nothing runs until somebody demands it.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::Bench;
use crate::support::{eventually, signal};

fn held(b: &Bench) {
    assert_eq!(b.shows("a", "state").as_deref(), Some("not running"));
    assert_eq!(b.shows("a", "runs").as_deref(), Some("0"));
    assert_eq!(b.shows("a", "pended nondemand spawn").as_deref(), Some("speculative"));
    b.gui(&["kickstart", "gui/501/a"]).ok();
    assert_eq!(b.shows("a", "state").as_deref(), Some("running"));
    assert_eq!(b.shows("a", "pended nondemand spawn"), None, "it is shown only while the job is down");
    // Nor is it brought back.
    signal(b.model.pid("a"), Signal::SIGKILL);
    b.wait_until_shows("a", "pended nondemand spawn", "inefficient");
    assert_eq!(b.shows("a", "state").as_deref(), Some("not running"));
    assert_eq!(b.shows("a", "last terminating signal").as_deref(), Some("Killed: 9"));
}

#[test]
fn an_agent_that_was_loaded_from_an_ssh_session() {
    let b = Bench::new();
    b.model.set(&json!({ "sessions": { "501": "Background" } }));
    b.gui(&["managername"]).ok().says("Background");
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true, "KeepAlive": true }));
    held(&b);
}

#[test]
fn a_machine_that_saves_power() {
    let b = Bench::new();
    b.model.set(&json!({ "pended": true }));
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true, "KeepAlive": true }));
    held(&b);
}

#[test]
fn daemons_and_the_background_session_are_not_held_back() {
    let b = Bench::new();
    b.model.set(&json!({ "sessions": { "501": "Background" } }));
    let keys = json!({ "RunAtLoad": true, "LimitLoadToSessionType": ["Background", "Aqua", "System"] });
    let path = b.define("a", &["sleep"], &keys);
    b.gui(&["bootstrap", "user/501", &path]).ok();
    b.root(&["bootstrap", "system", &path]).ok();
    for target in ["user/501/a", "system/a"] {
        eventually("it runs", || b.root(&["print", target]).out.contains("\tstate = running\n"));
    }
}
