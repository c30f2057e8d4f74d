//! Several instances of one service, and services that leave the manifest.

use crate::support::{Test, lives};

#[test]
fn instances_are_scaled_by_install() {
    let Some(t) = Test::live("instances") else { return };
    let before = t.machine();
    let manifest = |list: &str| {
        t.manifest(&format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"sleep\"]\ninstances = {list}\nenv = {{ WHO = \"i-${{instance}}\" }}\n"
        ));
    };
    manifest("[\"blue\", \"green\"]");
    t.install().ok();
    let (blue, green) = (t.pid("{p}a@blue"), t.pid("{p}a@green"));
    assert!(std::fs::read_to_string(format!("/proc/{blue}/environ")).unwrap().contains("WHO=i-blue"));
    t.run(&["stop", "{p}a@green"]).ok();
    assert!(lives(blue) && !lives(green));
    manifest("[\"blue\", \"red\"]");
    t.install().ok();
    assert_eq!(t.pid("{p}a@blue"), blue, "an instance that stays must not be restarted");
    t.pid("{p}a@red");
    t.run(&["status", "{p}a@green"]).exits(4);
    t.run(&["uninstall", "{p}a"]).ok();
    assert_eq!(t.machine(), before);
}

#[test]
fn prune() {
    let Some(t) = Test::live("prune") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n[service.{p}b]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let (a, b) = (t.pid("{p}a"), t.pid("{p}b"));
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok().says("--prune");
    assert!(lives(b), "without --prune nothing is removed");
    t.run(&["install", "manifest.toml", "--prune"]).ok().says("removed");
    assert!(!lives(b));
    assert_eq!(t.pid("{p}a"), a);
    t.run(&["status", "{p}b"]).exits(4);
}
