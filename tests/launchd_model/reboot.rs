//! What is there after a boot and a login.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::Bench;
use crate::support::{eventually, lives};

/// Moves a definition into a folder that launchd looks into.
fn put(b: &Bench, label: &str, folder: &str) -> std::path::PathBuf {
    let path = b.define(label, &["sleep"], &json!({ "RunAtLoad": true }));
    std::fs::create_dir_all(b.path(folder)).unwrap();
    let there = b.path(folder).join(format!("{label}.plist"));
    std::fs::rename(path, &there).unwrap();
    there
}

#[test]
fn a_boot_loads_what_lies_in_the_folders_and_is_not_disabled() {
    let b = Bench::new();
    b.model.set(&json!({ "daemons": [b.path("daemons")] }));
    let path = put(&b, "on", "daemons");
    put(&b, "off", "daemons");
    let open = put(&b, "open", "daemons");
    std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::fs::copy(&path, b.path("daemons/.copy.plist.tmp")).unwrap();
    b.root(&["disable", "system/off"]).ok();
    b.load("elsewhere", &["grandchild", "--setsid", "--pid-file", "{dir}/grandchild"], &json!({ "RunAtLoad": true }));
    let read = || b.text("grandchild").trim().parse().ok();
    eventually("it is up", || read().is_some());
    let (pid, grandchild): (i32, i32) = (b.model.pid("elsewhere"), read().unwrap());
    b.root(&["model", "reboot"]).ok();
    assert!(!lives(pid) && !lives(grandchild), "no process outlives a boot");
    b.root(&["print", "system/on"]).ok().says("\tstate = running\n");
    b.root(&["print", "system/off"]).exits(113);
    b.root(&["print", "system/open"]).exits(113);
    b.gui(&["print", "gui/501/elsewhere"]).exits(112);
}

#[test]
fn a_login_loads_agents_and_a_logout_ends_them() {
    let b = Bench::new();
    b.model.set(&json!({ "homes": { "501": b.path("home") }, "agents": [b.path("agents")], "daemons": [] }));
    put(&b, "own", "home/Library/LaunchAgents");
    put(&b, "everyone", "agents");
    b.root(&["model", "reboot"]).ok();
    b.gui(&["print", "gui/501"]).exits(112);
    b.root(&["model", "login", "501"]).ok();
    for label in ["own", "everyone"] {
        b.gui(&["print", &format!("gui/501/{label}")]).ok().says("\tstate = running\n");
    }
    let pid = b.model.pid("own");
    b.root(&["model", "logout", "501"]).ok();
    assert!(!lives(pid));
    b.gui(&["print", "gui/501/own"]).exits(112);
}
