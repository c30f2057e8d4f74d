//! What is enabled is up after a boot and a login, and nothing else is.

use crate::support::{Test, Where};

#[test]
fn enabled_disabled_manual_and_hosted() {
    let Some(t) = Test::live("boot") else { return };
    let service = |name: &str, more: &str| {
        format!("[service.{{p}}{name}]\nexec = [\"{{child}}\", \"--life\", \"0\", \"sleep\"]\n{more}\n")
    };
    t.manifest(&format!(
        "{}{}{}{}{}",
        service("on", ""),
        service("off", ""),
        service("hosted", "host = \"always\""),
        service("manual", "start = \"manual\""),
        service("stopped", ""),
    ));
    t.install().ok();
    t.run(&["disable", "{p}off"]).ok();
    t.run(&["start", "{p}manual"]).ok();
    t.run(&["stop", "{p}stopped"]).ok();
    let up = |name: &str| t.status(&format!("{{p}}{name}"))["state"] == "running";
    for (name, wanted) in [("on", true), ("off", true), ("hosted", true), ("manual", true), ("stopped", false)] {
        assert_eq!(up(name), wanted, "{name}: {:#}", t.status(&format!("{{p}}{name}")));
    }
    // What lies there does not outlive a boot; and what starts at boot must find it gone, not lose it.
    let _ = std::fs::remove_dir_all(t.runtime());
    t.model().run(&["model", "reboot"]).ok();
    let uid = nix::unistd::geteuid().to_string();
    match t.place {
        Where::LaunchdGui => drop(t.model().run(&["model", "login", &uid]).ok()),
        // Somebody is there, over ssh: `user/UID` exists, and nothing of it was loaded by itself.
        Where::LaunchdUser => {
            t.model().set(&serde_json::json!({ "user": [nix::unistd::geteuid().as_raw()] }));
            return;
        }
        _ => {}
    }
    t.pid("{p}on");
    t.pid("{p}hosted");
    assert!(!up("off") && !up("manual"), "{:#} {:#}", t.status("{p}off"), t.status("{p}manual"));
    t.run(&["uninstall", "--all"]).ok();
    t.run(&["status", "{p}on"]).exits(4);
}
