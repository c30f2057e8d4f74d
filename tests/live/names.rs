//! Names are kept as they are, or refused before anything happens; two never meet in one unit.

use crate::support::Test;

#[test]
fn names_that_are_good() {
    let Some(t) = Test::live("names") else { return };
    let long = format!("{{p}}{}", "n".repeat(80 - "names-".len()));
    let names = ["{p}a", "{p}a.b", "{p}my-svc", "{p}my_svc", "{p}1st", long.as_str()];
    let tables = names.map(|name| format!("[service.\"{name}\"]\nexec = [\"{{child}}\", \"sleep\"]\n"));
    t.manifest(&tables.concat());
    t.install().ok();
    let pids: std::collections::BTreeSet<i32> = names.iter().map(|name| t.pid(name)).collect();
    assert_eq!(pids.len(), names.len());
}

#[test]
fn names_that_are_refused() {
    let Some(t) = Test::live("bad_names") else { return };
    let before = t.machine();
    for name in ["..", "a/b", "My Svc", "a@b", "ünï", "", "a\\nb", &"n".repeat(300)] {
        t.manifest(&format!("[service.\"{name}\"]\nexec = [\"{{child}}\", \"sleep\"]\n"));
        t.install().exits(6).complains("manifest.toml");
    }
    assert_eq!(t.machine(), before);
}
