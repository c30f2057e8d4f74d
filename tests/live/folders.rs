//! `${state_dir}` and `${runtime_dir}`: folders of a service's own, made for it, kept for it.

use crate::support::{Test, eventually};

#[test]
fn state_and_runtime_folders() {
    let Some(t) = Test::live("folders") else { return };
    let user = if t.system_scope() { "user = \"nobody\"\n" } else { "" };
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"/bin/sh\", \"-c\", \"echo one >> $$0/kept; echo two > $$1/now; exec sleep 1000\", \"${{state_dir}}\", \"${{runtime_dir}}\"]\n\
         working_dir = \"${{state_dir}}\"\n{user}"
    ));
    t.install().ok();
    let kept = t.state().join("data/folders-a/kept");
    let now = t.runtime().join("data/folders-a/now");
    let lines = || std::fs::read_to_string(&kept).unwrap_or_default().lines().count();
    eventually("both files are written", || lines() == 1 && now.exists());
    // A runtime folder that a boot took away is made again.
    t.run(&["stop", "{p}a"]).ok();
    std::fs::remove_dir_all(now.parent().unwrap()).unwrap();
    t.run(&["start", "{p}a"]).ok();
    eventually("both files are written again", || lines() == 2 && now.exists());
    t.install().ok().says("unchanged");
    t.run(&["uninstall", "{p}a"]).ok();
    assert!(kept.exists(), "what a service must not lose stays when it is uninstalled");
    t.install().ok();
    t.run(&["uninstall", "{p}a", "--purge"]).ok();
    assert!(!kept.exists(), "--purge removes it");
}
