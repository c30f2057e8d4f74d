//! A service belongs to the manifest that installed it.

use crate::support::Test;

#[test]
fn the_same_name_from_another_manifest() {
    let Some(t) = Test::live("owner") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let (installed, pid) = (t.machine(), t.pid("{p}a"));
    t.write("other.toml", "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { X = \"1\" }\n");
    t.run(&["install", "other.toml"]).exits(1).complains("manifest.toml").complains("other.toml");
    assert_eq!((t.machine(), t.pid("{p}a")), (installed, pid));
    t.run(&["install", "other.toml", "--adopt"]).ok();
    assert_eq!(t.status("{p}a")["manifest"].as_str().unwrap(), t.path("other.toml").to_str().unwrap());
}

#[test]
fn works_when_the_manifest_is_gone() {
    let Some(t) = Test::live("no_manifest") else { return };
    let before = t.machine();
    let manifest = t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    std::fs::remove_file(manifest).unwrap();
    t.pid("{p}a");
    t.run(&["restart", "{p}a"]).ok();
    t.run(&["uninstall", "manifest.toml"]).ok().says("removed");
    assert_eq!(t.machine(), before);
}
