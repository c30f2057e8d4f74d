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
    assert!(crate::support::environment(blue).contains("WHO=i-blue"));
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

/// Three instances that write down when each is up and down.
fn rolling(t: &Test, keys: &str) {
    t.write(
        "run.sh",
        "#!/bin/sh\n[ \"$BREAK\" != $I ] || exit 3\ntrap 'echo down-$I >>{dir}/order; exit 0' TERM\nsleep 0.2\n\
         echo up-$I >>{dir}/order\necho it is up\nwhile :; do sleep 1000 & wait; done\n",
    );
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"/bin/sh\", \"{{dir}}/run.sh\"]\ninstances = 3\nready = {{ log = \"it is up\" }}\n{keys}"
    ));
}

fn order(t: &Test) -> Vec<String> {
    std::fs::read_to_string(t.path("order")).unwrap_or_default().lines().map(str::to_owned).collect()
}

const ONE_BY_ONE: [&str; 6] = ["down-1", "up-1", "down-2", "up-2", "down-3", "up-3"];

#[test]
fn a_restart_rolls_over_the_instances_and_so_does_an_install_that_changes_them() {
    let Some(t) = Test::live("rolling") else { return };
    rolling(&t, "env = { I = \"${instance}\", BREAK = \"none\" }\n");
    t.install().ok();
    std::fs::write(t.path("order"), "").unwrap();
    // Whoever the services run as.
    std::fs::set_permissions(t.path("order"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    t.run(&["restart", "{p}a"]).ok().says("restarted");
    assert_eq!(order(&t), ONE_BY_ONE);
    std::fs::write(t.path("order"), "").unwrap();
    rolling(&t, "env = { I = \"${instance}\", BREAK = \"nobody\" }\n");
    t.install().ok().says("updated");
    assert_eq!(order(&t), ONE_BY_ONE);

    let third = t.pid("{p}a@3");
    rolling(&t, "env = { I = \"${instance}\", BREAK = \"2\" }\nrestart = { policy = \"never\" }\n");
    t.install().exits(1).complains(&t.fill("`{p}a@3` was not restarted and is as it was: `{p}a@2` did not come up"));
    assert_eq!(t.pid("{p}a@3"), third, "an instance behind the one that failed must not be touched");
    for instance in ["1", "2"] {
        let pid = t.pid(&format!("{{p}}a@{instance}"));
        let environ = crate::support::environment(pid);
        assert!(environ.contains("BREAK=nobody"), "rolled back: {environ}");
    }
}
