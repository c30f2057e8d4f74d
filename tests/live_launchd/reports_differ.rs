//! Where reports of what launchd does disagree, either is borne; and no verb of yesterday's is used.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::{Test, signal};

/// Today's verbs, those of them that are used.
const VERBS: [&str; 8] = ["bootstrap", "bootout", "enable", "disable", "kickstart", "kill", "print", "print-disabled"];

fn marked(t: &Test, mark: &str) {
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"{{child}}\", \"sleep\"]\nenv = {{ WHICH = \"{mark}\" }}\n\
         [service.{{p}}b]\nexec = [\"{{child}}\", \"sleep\"]\nhost = \"always\"\nrequires = [\"{{p}}a\"]\n"
    ));
    t.install().ok();
    let environment = crate::support::environment(t.pid("{p}a"));
    assert!(environment.contains(&format!("WHICH={mark}")), "{environment}");
}

/// From install to uninstall.
fn whole_life(t: &Test) {
    marked(t, "old");
    marked(t, "new");
    let units = ["{p}a", "{p}b"];
    t.run(&["stop", units[0], units[1]]).ok();
    for unit in units {
        assert_eq!(t.status(unit)["state"], "stopped");
    }
    t.run(&["start", units[0], units[1]]).ok();
    for unit in units {
        let before = t.pid(unit);
        t.run(&["restart", unit]).ok();
        assert_ne!(t.pid(unit), before);
        t.run(&["disable", unit]).ok();
        assert_eq!(t.status(unit)["enabled"], false);
        t.run(&["restart", unit]).ok();
        t.pid(unit);
        t.run(&["enable", unit]).ok();
        assert_eq!(t.status(unit)["enabled"], true);
    }
    t.run(&["uninstall", "--all"]).ok();
    for unit in units {
        t.run(&["status", unit]).exits(4);
    }
    assert!(t.job("a").is_null() && t.job("b").is_null());
}

#[test]
fn whichever_it_is() {
    let Some(t) = Test::live("differ") else { return };
    for (knob, other, usual) in [
        ("not_loaded_code", json!(113), json!(3)),
        ("no_domain_code", json!(113), json!(112)),
        ("no_domain_code", json!(1), json!(112)),
        ("already_code", json!(17), json!(37)),
        ("bootout_code", json!(36), json!(0)),
        ("kick_signal", json!(15), json!(9)),
        ("disabled_stays_down", json!(true), json!(false)),
        ("opaque", json!(true), json!(false)),
    ] {
        let set = |value: &Value| t.model().set(&json!({ knob: value }));
        set(&other);
        whole_life(&t);
        set(&usual);
    }
    for line in t.model().history().iter().filter(|line| line["what"] == "asked") {
        let verb = line["args"][0].as_str().unwrap();
        assert!(VERBS.contains(&verb), "{line}");
    }
}

#[test]
fn a_kickstart_that_would_hang_is_not_needed_where_the_last_start_failed() {
    let Some(t) = Test::live("kick_config") else { return };
    t.model().set(&json!({ "kick_hangs_on_config": true }));
    std::fs::create_dir(t.path("work")).unwrap();
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nworking_dir = \"{dir}/work\"\nrestart = { policy = \"always\" }\n\
         host = \"never\"\n",
    );
    t.install().ok();
    let first = t.pid("{p}a");
    std::fs::remove_dir(t.path("work")).unwrap();
    signal(first, Signal::SIGKILL);
    let status = t.wait_for("{p}a", |status| status["last_exit"]["code"] == 78);
    assert_eq!(status["state"], "backoff", "{status:#}");
    t.run(&["start", "{p}a"]).exits(1).says("78");
    std::fs::create_dir(t.path("work")).unwrap();
    t.run(&["start", "{p}a"]).ok();
    t.pid("{p}a");
}
