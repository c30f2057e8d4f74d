//! Spawns that launchd holds back end in a running service all the same.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Test, Where, signal};

fn held(t: &Test) {
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n[service.{p}b]\nexec = [\"{child}\", \"sleep\"]\nhost = \"always\"\n");
    t.install().ok();
    for unit in ["{p}a", "{p}b"] {
        let pid = t.pid(unit);
        t.run(&["restart", unit]).ok();
        assert_ne!(t.pid(unit), pid);
        t.run(&["stop", unit]).ok();
        t.run(&["start", unit]).ok();
        t.pid(unit);
    }
    assert!(t.model().history().iter().any(|line| line["what"] == "pended"), "nothing was held back");
}

#[test]
fn on_a_machine_that_saves_power() {
    let Some(t) = Test::live("low_power") else { return };
    t.model().set(&json!({ "pended": true }));
    held(&t);
}

#[test]
fn from_an_ssh_session_into_the_gui_domain() {
    let Some(t) = Test::live("from_ssh") else { return };
    if t.place != Where::LaunchdGui {
        return;
    }
    t.model().set(&json!({ "sessions": { nix::unistd::geteuid().to_string(): "Background" } }));
    held(&t);
}

#[test]
fn one_that_died_and_is_held_back_is_told_as_that() {
    let Some(t) = Test::live("held_back") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nrestart = { policy = \"always\", delay = \"10s\" }\nhost = \"never\"\n");
    let ran = t.install();
    if ran.code == 6 {
        // A delay from the end of the last run is more than launchd has.
        t.manifest(
            "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nrestart = { policy = \"always\" }\nhost = \"never\"\n",
        );
        t.install().ok();
    }
    t.model().set(&json!({ "pended": true }));
    signal(t.pid("{p}a"), Signal::SIGKILL);
    let status = t.wait_for("{p}a", |status| status["pid"].is_null());
    assert_ne!(status["state"], "running", "{status:#}");
    assert!(status.to_string().contains("held back"), "{status:#}");
    t.run(&["start", "{p}a"]).ok();
    t.pid("{p}a");
}
