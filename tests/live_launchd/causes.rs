//! Error 5 says nothing; daemonctl says what it is.

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
    std::fs::set_permissions(t.path("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(t.path("work")).unwrap();
    let before = t.machine();
    let ran = t.install();
    assert_ne!(ran.code, 0, "{ran}");
    assert!(ran.stderr.contains("78"), "{ran}");
    assert_eq!(t.machine(), before);
}
