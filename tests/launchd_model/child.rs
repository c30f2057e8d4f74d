//! What a program finds itself with, and what becomes of one that cannot be set up.

use serde_json::{Value, json};

use crate::Bench;
use crate::support::eventually;

fn shown(b: &Bench, file: &str) -> Value {
    let read = || serde_json::from_str(&b.text(file)).ok();
    eventually("it has shown what it has", || read().is_some());
    read().unwrap()
}

#[test]
fn nothing_is_inherited_from_who_calls() {
    let b = Bench::new();
    b.model.set(&json!({ "homes": { "501": b.path("home") } }));
    b.load(
        "a",
        &["--out", "{dir}/env", "env"],
        &json!({ "RunAtLoad": true, "EnvironmentVariables": { "A": "b", "N": 5 } }),
    );
    let env = shown(&b, "env");
    assert_eq!(env["PATH"], "/usr/bin:/bin:/usr/sbin:/sbin");
    assert_eq!(env["XPC_SERVICE_NAME"], "a");
    assert_eq!(env["A"], "b");
    assert_eq!(env["HOME"], b.path("home").to_str().unwrap());
    assert!(env["N"].is_null(), "what is no string is ignored: {env}");
    assert!(env["CARGO_MANIFEST_DIR"].is_null() && env["LAUNCHD_MODEL"].is_null(), "{env}");
    // A daemon has no home.
    let path = b.define("d", &["--out", "{dir}/daemon", "env"], &json!({ "RunAtLoad": true }));
    b.root(&["bootstrap", "system", &path]).ok();
    assert_eq!(shown(&b, "daemon").as_object().map(serde_json::Map::len), Some(2), "{}", shown(&b, "daemon"));
}

#[test]
fn mask_limits_session_and_folder() {
    let b = Bench::new();
    b.load("plain", &["--out", "{dir}/plain", "ids"], &json!({ "RunAtLoad": true }));
    let ids = shown(&b, "plain");
    assert!(ids["umask"].to_string().contains("22"), "{ids}");
    assert!(ids["nofile"].to_string().contains("256"), "{ids}");
    assert_eq!(ids["pid"], ids["sid"], "a session of its own: {ids}");
    b.load(
        "given",
        &["--out", "{dir}/given", "ids"],
        // The mask is decimal: 23 is 027.
        &json!({ "RunAtLoad": true, "Umask": 23, "SoftResourceLimits": { "NumberOfFiles": 300 }, "HardResourceLimits": { "NumberOfFiles": 400 } }),
    );
    let ids = shown(&b, "given");
    assert!(ids["umask"].to_string().contains("27"), "{ids}");
    assert_eq!(ids["nofile"], 300, "{ids}");
    b.load("root", &["--out", "{dir}/root", "cwd"], &json!({ "RunAtLoad": true }));
    assert!(shown(&b, "root").to_string().contains("\"/\""), "{}", shown(&b, "root"));
    b.load("cwd", &["--out", "{dir}/cwd", "cwd"], &json!({ "RunAtLoad": true, "WorkingDirectory": b.dir }));
    assert!(shown(&b, "cwd").to_string().contains(b.dir.to_str().unwrap()));
    b.load("fds", &["--out", "{dir}/fds", "fds"], &json!({ "RunAtLoad": true }));
    assert_eq!(shown(&b, "fds").as_array().map(Vec::len), Some(3), "{}", shown(&b, "fds"));
}

#[test]
fn output_is_appended_to_a_file_that_is_made() {
    let b = Bench::new();
    let keys = json!({ "StandardOutPath": b.path("log"), "StandardErrorPath": b.path("log") });
    b.load("a", &["--print", "out", "--eprint", "err", "exit", "0"], &keys);
    for runs in 1..=2 {
        b.gui(&["kickstart", "gui/501/a"]).ok();
        eventually("it has written", || b.text("log") == "out\nerr\n".repeat(runs));
        b.wait_until_shows("a", "state", "not running");
    }
}

#[test]
fn what_cannot_be_set_up_is_loaded_all_the_same_and_dies_with_78() {
    let b = Bench::new();
    // Tried once a minute: the state stays to be looked at.
    b.model.set(&json!({ "spawn_second": 6000 }));
    let path = |name: &str| b.path(name).to_str().unwrap().to_owned();
    for (label, keys) in [
        ("no-program", json!({ "Program": path("none") })),
        ("no-folder", json!({ "WorkingDirectory": path("none") })),
        ("no-log", json!({ "StandardOutPath": path("none/log") })),
        ("no-bit", json!({ "Program": b.define("x", &[], &json!({})) })),
    ] {
        let mut keys = keys;
        keys["RunAtLoad"] = json!(true);
        b.load(label, &["sleep"], &keys);
        b.wait_until_shows(label, "state", "spawn scheduled");
        assert_eq!(b.shows(label, "last exit code").as_deref(), Some("78: EX_CONFIG"), "{label}");
        assert_eq!(b.shows(label, "pid"), None, "{label}");
    }
}

#[test]
fn it_is_tried_again_and_runs_once_it_can() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({ "RunAtLoad": true, "WorkingDirectory": b.path("later") }));
    eventually("three tries", || b.shows("a", "runs").unwrap().parse::<u32>().unwrap() >= 3);
    std::fs::create_dir(b.path("later")).unwrap();
    b.wait_until_shows("a", "state", "running");
}

#[test]
fn another_account_is_for_root_and_for_daemons_only() {
    let b = Bench::new();
    // An agent's account is who is logged in, whatever the definition says.
    b.load("agent", &["sleep"], &json!({ "RunAtLoad": true, "UserName": "nobody-there" }));
    assert_eq!(b.shows("agent", "state").as_deref(), Some("running"));
    let path = b.define("daemon", &["sleep"], &json!({ "RunAtLoad": true, "UserName": "nobody-there" }));
    b.root(&["bootstrap", "system", &path]).ok();
    eventually("it has failed", || b.root(&["print", "system/daemon"]).out.contains("78: EX_CONFIG"));
}
