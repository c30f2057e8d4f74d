//! Error 5 says nothing; daemonctl says what it is.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::Test;

const PLAIN: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n";

#[test]
fn a_label_that_somebody_else_has_loaded() {
    let Some(t) = Test::live("cause_taken") else { return };
    t.model().set(&json!({ "opaque": true }));
    t.manifest(PLAIN);
    t.install().ok();
    let label = t.label("a");
    t.run(&["uninstall", "{p}a"]).ok();
    let other = t.path("other.plist");
    crate::support::launchd::write_plist(
        &other,
        &json!({ "Label": label, "ProgramArguments": ["/bin/sleep", "1000"], "RunAtLoad": true,
            "LimitLoadToSessionType": ["Aqua", "Background", "System"] }),
    );
    t.model().run(&["bootstrap", &t.domain(), other.to_str().unwrap()]).ok();
    let ran = t.install();
    assert_ne!(ran.code, 0, "{ran}");
    assert!(ran.stderr.contains(&label) && ran.stderr.contains("other.plist"), "{ran}");
    assert!(t.job("a").is_object(), "somebody else's job must not be touched");
}

#[test]
fn an_error_5_for_no_reason_that_can_be_found() {
    let Some(t) = Test::live("cause_none") else { return };
    t.manifest(PLAIN);
    let before = t.machine();
    t.model().fault(&json!({ "verb": "bootstrap", "what": { "fail": 5 } }));
    let ran = t.install().exits(1);
    assert!(ran.stderr.contains("log show"), "it must tell where launchd keeps its reason:\n{ran}");
    assert!(t.model().struck() >= 1);
    assert_eq!(t.machine(), before);
    t.run(&["status", "{p}a"]).exits(4);
}

#[test]
fn a_label_that_is_disabled_can_be_installed_again() {
    let Some(t) = Test::live("cause_disabled") else { return };
    t.model().set(&json!({ "opaque": true }));
    t.manifest(PLAIN);
    t.install().ok();
    let target = format!("{}/{}", t.domain(), t.label("a"));
    t.run(&["uninstall", "{p}a"]).ok();
    // Somebody switched it off in the settings, or an old uninstall left it so.
    t.model().run(&["disable", &target]).ok();
    t.install().ok();
    t.pid("{p}a");
    t.run(&["disable", "{p}a"]).ok();
    t.run(&["uninstall", "{p}a"]).ok();
    let said = t.model().run(&["print-disabled", &t.domain()]).ok();
    assert!(
        !said.out.contains("=> disabled") && !said.out.contains("=> true"),
        "uninstall clears the override: {said:?}"
    );
}

#[test]
fn a_program_that_cannot_be_executed_is_told_before_or_after() {
    let Some(t) = Test::live("cause_78") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{dir}/script\"]\nworking_dir = \"{dir}/work\"\nhost = \"never\"\n");
    t.write("script", "#!/nowhere/interpreter\n");
    std::fs::set_permissions(t.path("script"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(t.path("work")).unwrap();
    let before = t.machine();
    let ran = t.install();
    assert_ne!(ran.code, 0, "{ran}");
    assert!(ran.stderr.contains("78"), "{ran}");
    assert_eq!(t.machine(), before);
}

#[test]
fn a_property_list_that_others_may_write() {
    let Some(t) = Test::live("cause_mode") else { return };
    t.model().set(&json!({ "opaque": true }));
    t.manifest(PLAIN);
    // However open the mask of who installs, launchd takes what is installed.
    let command = t.command(&["install", "manifest.toml", "--no-start"]);
    let mut open = std::process::Command::new("/bin/sh");
    open.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => open.env(name, value),
            None => open.env_remove(name),
        };
    }
    open.current_dir(&t.dir);
    crate::support::Ran::of(open, &["install"]).ok();
    let file = std::fs::read_dir(t.definitions()).unwrap().next().unwrap().unwrap().path();
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    mode(0o666);
    t.run(&["start", "{p}a"]).exits(1).says("others may write").says("chmod 644");
    mode(0o644);
    t.run(&["start", "{p}a"]).ok();
    t.pid("{p}a");
}
