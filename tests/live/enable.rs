//! `enable` and `disable` change what happens at boot and nothing else.

use crate::support::Test;

#[test]
fn disable_and_enable() {
    let Some(t) = Test::live("enable") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let (installed, pid) = (t.machine(), t.pid("{p}a"));
    t.run(&["enable", "{p}a"]).ok().says("unchanged");
    t.run(&["disable", "{p}a"]).ok().says("disabled");
    let status = t.status("{p}a");
    assert_eq!(status["enabled"], false, "{status:#}");
    assert_eq!(status["drift"], "none", "{status:#}");
    assert_eq!(t.pid("{p}a"), pid, "a running service must not be touched");
    t.run(&["disable", "{p}a"]).ok().says("unchanged");
    t.run(&["enable", "{p}a"]).ok().says("enabled");
    assert_eq!(t.status("{p}a")["enabled"], true);
    assert_eq!(t.machine(), installed);
    assert_eq!(t.pid("{p}a"), pid);
}

#[test]
fn a_manual_service_is_neither_enabled_nor_started() {
    let Some(t) = Test::live("manual") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nstart = \"manual\"\n");
    t.install().ok();
    let status = t.status("{p}a");
    assert_eq!(status["enabled"], false, "{status:#}");
    assert_eq!(status["state"], "stopped", "{status:#}");
    t.run(&["start", "{p}a"]).ok();
    t.pid("{p}a");
    t.install().ok().says("unchanged");
    t.pid("{p}a");
}
