//! `start` and `install` succeed only when the service is up and ready; else they say why, and nothing stays behind.

use crate::support::{Test, eventually, lives};

#[test]
fn a_program_that_dies_at_once() {
    let Some(t) = Test::live("dies_at_once") else { return };
    let before = t.machine();
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"--eprint\", \"cannot open the door\", \"exit\", \"3\"]\nrestart = { policy = \"never\" }\n");
    let ran = t.install().exits(1);
    assert!(ran.stderr.contains("cannot open the door"), "its last lines must be shown:\n{ran}");
    assert!(ran.stderr.contains('3'), "its exit code must be told:\n{ran}");
    assert_eq!(t.machine(), before, "a failed install must leave everything as before");
    t.run(&["status", "{p}a"]).exits(4);

    // Installed all the same with --no-start, it fails to start in the same way.
    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    t.run(&["status", "{p}a"]).exits(3);
    let ran = t.run(&["start", "{p}a"]).exits(1);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("cannot open the door"), "{ran}");
    let status = t.status("{p}a");
    assert_eq!(status["state"], "failed", "{status:#}");
    assert_eq!(status["last_exit"]["code"], 3, "{status:#}");
    t.run(&["status", "{p}a"]).exits(5);
}

#[test]
fn a_program_that_is_missing() {
    let Some(t) = Test::live("missing") else { return };
    let before = t.machine();
    t.manifest("[service.{p}a]\nexec = [\"{dir}/nothing-here\"]\n");
    t.install().exits(6).complains("manifest.toml:2").complains("nothing-here");
    assert_eq!(t.machine(), before);
}

#[test]
fn waits_until_ready() {
    let Some(t) = Test::live("slow_ready") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"notify\", \"--after\", \"700\"]\nready = { notify = true, timeout = \"30s\" }\n",
    );
    let begun = std::time::Instant::now();
    t.install().ok();
    assert!(begun.elapsed().as_millis() >= 700, "install returned before the service was ready");
    let status = t.status("{p}a");
    assert_eq!(status["state"], "running", "{status:#}");
}

#[test]
fn never_ready() {
    let Some(t) = Test::live("never_ready") else { return };
    let before = t.machine();
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--pid-file\", \"{dir}/pid\", \"sleep\"]\nready = { notify = true, timeout = \"1s\" }\nrestart = { policy = \"never\" }\nstop = { timeout = \"5s\" }\n",
    );
    let ran = t.install();
    assert!(matches!(ran.code, 1 | 8), "{ran}");
    assert!(ran.stderr.contains("ready") || ran.stderr.contains("timeout"), "{ran}");
    let pid: i32 = std::fs::read_to_string(t.path("pid")).unwrap().trim().parse().unwrap();
    eventually("the process is gone", || !lives(pid));
    assert_eq!(t.machine(), before);
}

#[test]
fn a_failed_update_keeps_the_old_service() {
    let Some(t) = Test::live("failed_update") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { WHICH = \"old\" }\nrestart = { policy = \"never\" }\n");
    t.install().ok();
    let installed = t.machine();
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"exit\", \"1\"]\nenv = { WHICH = \"new\" }\nrestart = { policy = \"never\" }\n");
    t.install().exits(1).complains("as before");
    assert_eq!(t.machine(), installed, "the old definition must be back");
    let pid = t.pid("{p}a");
    let environment = crate::support::environment(pid);
    // On Windows nobody sees another process's environment; that it runs, the definition being the old one, is all there.
    assert!(cfg!(windows) || environment.contains("WHICH=old"), "the old service must run again: {environment}");
}

#[test]
fn a_program_that_ends_at_once_with_success() {
    let Some(t) = Test::live("ends_at_once") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"exit\", \"0\"]\nrestart = { policy = \"on-failure\" }\n");
    // A service is meant to run: one that has ended, however well, was not started.
    t.install().exits(1);
    t.run(&["status", "{p}a"]).exits(4);
    // A oneshot is meant to end.
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"exit\", \"0\"]\ntype = \"oneshot\"\n");
    t.install().ok();
    assert_eq!(t.status("{p}a")["state"], "completed");
    t.run(&["status", "{p}a"]).ok();
    t.install().ok().says("unchanged");
}

#[test]
fn a_program_that_forks_and_leaves() {
    let Some(t) = Test::live("forks") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"fork-leave\", \"--pid-file\", \"{dir}/daemon\"]\nrestart = { policy = \"never\" }\nstop = { timeout = \"2s\" }\n",
    );
    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    // What matters: whatever the answer, nothing of it is left after a stop.
    let ran = t.run(&["start", "{p}a"]);
    assert!(matches!(ran.code, 0 | 1), "{ran}");
    t.run(&["stop", "{p}a"]).ok();
    if let Ok(text) = std::fs::read_to_string(t.path("daemon")) {
        let pid: i32 = text.trim().parse().unwrap();
        eventually("the daemon is gone", || !lives(pid));
    }
}
