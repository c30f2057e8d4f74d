//! `--no-start` and `uninstall --purge`.

use crate::support::Test;

#[test]
fn installed_and_not_started() {
    let Some(t) = Test::live("no_start") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"up\", \"sleep\"]\n");
    t.run(&["install", "manifest.toml", "--no-start"]).ok().says("installed");
    let status = t.status("{p}a");
    assert_eq!(status["state"], "stopped", "{status:#}");
    assert_eq!(status["enabled"], true, "{status:#}");
    t.run(&["status", "{p}a"]).exits(3);
    assert!(!t.path("log").exists());
    // A change with --no-start leaves what runs running as it is.
    t.install().ok();
    let pid = t.pid("{p}a");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"up\", \"sleep\"]\nenv = { A = \"b\" }\n",
    );
    t.run(&["plan", "manifest.toml", "--exit-code", "--no-start"]).exits(10);
    t.run(&["install", "manifest.toml", "--no-start"]).ok().says("updated");
    t.run(&["restart", "{p}a"]).ok();
    assert_ne!(t.pid("{p}a"), pid);
}

#[test]
fn purge_takes_what_was_logged() {
    let Some(t) = Test::live("purge") else { return };
    // The journal is systemd's; what daemonctl's host captured goes.
    if t.systemd() {
        return;
    }
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"--stay\", \"lines\", \"5\"]\n");
    t.install().ok();
    let status = t.wait_for("{p}a", |status| status["logs"].is_string());
    let place = std::path::PathBuf::from(status["logs"].as_str().unwrap());
    crate::support::eventually("it has logged", || place.exists());
    t.run(&["uninstall", "{p}a"]).ok();
    assert!(place.exists(), "without --purge logs stay");
    t.install().ok();
    t.run(&["uninstall", "{p}a", "--purge"]).ok();
    assert!(!place.exists(), "{} is left", place.display());
}
