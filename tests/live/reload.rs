//! `reload` delivers, and the service stays up; a check that fails keeps it from being delivered.

use crate::support::{Test, eventually};

#[test]
fn by_signal() {
    let Some(t) = Test::live("reload") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"hup-count\", \"{dir}/count\"]\nreload = { signal = \"HUP\" }\n");
    t.install().ok();
    let count = || std::fs::read_to_string(t.path("count")).unwrap_or_default().trim().to_owned();
    eventually("it is ready to count", || count() == "0");
    let pid = t.pid("{p}a");
    for n in 1..=3 {
        t.run(&["reload", "{p}a"]).ok().says("reloaded");
        eventually("the signal came", || count() == n.to_string());
    }
    assert_eq!(t.pid("{p}a"), pid);
    t.run(&["stop", "{p}a"]).ok();
    let ran = t.run(&["reload", "{p}a"]);
    assert_ne!(ran.code, 0, "what is down cannot be reloaded:\n{ran}");
}

#[test]
fn a_check_that_fails() {
    let Some(t) = Test::live("reload_check") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"hup-count\", \"{dir}/count\"]\n\
         reload = { signal = \"HUP\", check = [\"{child}\", \"--eprint\", \"line 3 is wrong\", \"exit\", \"1\"] }\n",
    );
    t.install().ok();
    eventually("it is ready to count", || t.path("count").exists());
    let pid = t.pid("{p}a");
    let ran = t.run(&["reload", "{p}a"]).exits(1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    // journald often does not find the unit of a user's process that has ended by then, and the check is not the main
    // process, whose id systemd would still tell.
    let found = said.contains("line 3 is wrong") || t.place == crate::support::Where::SystemdUser;
    assert!(found, "what the check said must be shown:\n{ran}");
    assert_eq!(t.pid("{p}a"), pid);
    assert_eq!(std::fs::read_to_string(t.path("count")).unwrap().trim(), "0", "it was reloaded all the same");
}

#[test]
fn one_that_cannot() {
    let Some(t) = Test::live("no_reload") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let pid = t.pid("{p}a");
    t.run(&["reload", "{p}a"]).exits(1).says("has no `reload`");
    assert_eq!(t.pid("{p}a"), pid);
}
