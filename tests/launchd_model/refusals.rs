//! What is refused, and with which of launchctl's codes.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::Bench;
use crate::support::launchd::write_plist;

/// Root hears the code and its words; a user hears error 5 for the same.
#[track_caller]
fn refused(b: &Bench, path: &str, code: i32, words: &str) {
    b.root(&["bootstrap", "gui/501", path]).exits(code).complains(words);
    b.gui(&["bootstrap", "gui/501", path])
        .exits(5)
        .complains("Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.");
    b.model.set(&json!({ "opaque": true }));
    b.root(&["bootstrap", "gui/501", path]).exits(5);
    b.model.set(&json!({ "opaque": false }));
}

#[test]
fn a_file_that_others_can_write_or_that_is_a_link() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({}));
    for mode in [0o664, 0o646, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        refused(&b, &path, 122, "Path had bad ownership/permissions");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&path, b.path("link.plist")).unwrap();
    refused(&b, b.path("link.plist").to_str().unwrap(), 122, "Path had bad ownership/permissions");
    b.gui(&["bootstrap", "gui/501", &path]).ok();
}

#[test]
fn a_file_of_another_owner() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({}));
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        refused(&b, &path, 122, "Path had bad ownership/permissions");
    } else {
        // Played by a model in which root is somebody else than we.
        b.model.set(&json!({ "one_account": false }));
        b.root(&["bootstrap", "system", &path]).exits(122);
    }
}

#[test]
fn a_file_that_is_no_definition() {
    let b = Bench::new();
    let path = b.path("a.plist");
    let text = path.to_str().unwrap();
    refused(&b, text, 2, "No such file or directory");
    std::fs::write(&path, "<plist><dict>").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    refused(&b, text, 109, "Bootstrap failed: 109");
    write_plist(&path, &json!({ "ProgramArguments": ["/bin/true"] }));
    refused(&b, text, 109, "Label");
    write_plist(&path, &json!({ "Label": "a" }));
    refused(&b, text, 111, "Program");
    write_plist(&path, &json!({ "Label": "a", "ProgramArguments": "/bin/true" }));
    refused(&b, text, 111, "ProgramArguments");
    write_plist(&path, &json!({ "Label": "a", "Program": "/bin/true", "RunAtLoad": "yes" }));
    refused(&b, text, 109, "RunAtLoad");
}

#[test]
fn a_label_that_is_loaded() {
    let b = Bench::new();
    b.load("a", &["sleep"], &json!({}));
    let path = b.path("a.plist");
    let path = path.to_str().unwrap();
    refused(&b, path, 37, "service already bootstrapped");
    b.model.set(&json!({ "already_code": 17 }));
    refused(&b, path, 17, "service already bootstrapped");
}

#[test]
fn a_session_that_is_not_the_definitions() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({}));
    b.root(&["bootstrap", "user/501", &path]).exits(134);
    b.gui(&["bootstrap", "user/501", &path]).exits(5);
    let path = b.define("b", &["sleep"], &json!({ "LimitLoadToSessionType": "Background" }));
    refused(&b, &path, 134, "Service cannot load in requested session");
    b.gui(&["bootstrap", "user/501", &path]).ok();
}

#[test]
fn a_domain_that_is_not_there_or_not_ours() {
    let b = Bench::new();
    let path = b.define("a", &["sleep"], &json!({}));
    b.model.set(&json!({ "gui": [] }));
    b.gui(&["bootstrap", "gui/501", &path]).exits(125).complains("125: Domain does not support specified action");
    b.gui(&["print", "gui/99999"]).exits(112).complains("Bad request.\nCould not find domain for user gui: 99999");
    b.gui(&["bootstrap", "system", &path]).exits(5).complains("as root");
    b.model.set(&json!({ "user": [501, 502] }));
    b.gui(&["bootstrap", "user/502", &path]).exits(5);
    b.gui(&["enable", "system/a"]).exits(1);
    for code in [113, 1] {
        b.model.set(&json!({ "no_domain_code": code }));
        b.gui(&["print", "gui/99999"]).exits(code);
    }
}

#[test]
fn a_service_that_is_unknown() {
    let b = Bench::new();
    let words = "Bad request.\nCould not find service \"none\" in domain for user gui: 501";
    for verb in [&["print"][..], &["kickstart"], &["kickstart", "-k"], &["kill", "TERM"]] {
        let mut words_of = verb.to_vec();
        words_of.push("gui/501/none");
        b.gui(&words_of).exits(113).complains(words);
    }
    b.root(&["print", "system/none"]).exits(113).complains("in domain for system");
    b.gui(&["list", "none"]).exits(113).complains("Could not find service \"none\" in domain for port");
}

#[test]
fn words_that_launchctl_does_not_know_and_words_that_the_model_does_not() {
    let b = Bench::new();
    b.gui(&["frobnicate"]).exits(64).complains("Unrecognized subcommand");
    b.gui(&["print", "a"]).exits(64).complains("Unrecognized target specifier, did you mean gui/501/a");
    b.root(&["print", "a"]).exits(64).complains("did you mean system/a");
    b.gui(&["kickstart", "-x", "gui/501/a"]).exits(64);
    for words in
        [&["blame", "gui/501/a"][..], &["print", "pid/1"], &["bootout", "gui/501"], &["kickstart", "-s", "gui/501/a"]]
    {
        b.gui(words).exits(70).complains("is not modelled");
    }
    let path = b.define("a", &["sleep"], &json!({ "WatchPaths": ["/tmp"] }));
    b.gui(&["bootstrap", "gui/501", &path]).exits(70).complains("`WatchPaths` is not modelled");
    b.gui(&["print", "gui/501/a"]).exits(113);
}

#[test]
fn the_words_of_a_code() {
    let b = Bench::new();
    b.gui(&["error", "122"]).ok().says("122: Path had bad ownership/permissions");
    b.gui(&["managerpid"]).ok().says("1\n");
    b.gui(&["managername"]).ok().says("Aqua\n");
    b.root(&["managername"]).ok().says("System\n");
}
