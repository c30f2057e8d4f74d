//! `init` writes a manifest that passes `check`, from whatever program it is given, and replaces nothing unasked.

use crate::support::{Ran, Test};

fn init(t: &Test, args: &[&str]) -> Ran {
    t.run(&[&["init"], args].concat())
}

#[test]
fn each_kind() {
    let t = Test::home("kinds");
    for kind in ["web", "worker", "task", "two"] {
        let file = format!("{kind}.toml");
        init(&t, &["--kind", kind, "-o", &file, "{child}", "sleep"]).ok().says(&file);
        let text = std::fs::read_to_string(t.path(&file)).unwrap();
        assert!(text.ends_with('\n') && text.contains(&t.fill("\"{child}\", \"sleep\"")), "{text}");
        // The embedded supervisor has no schedules yet.
        let targets = if kind == "task" { &["systemd"][..] } else { &["systemd", "embedded"] };
        for target in targets {
            t.run(&["check", &file, "--target", target]).ok();
        }
    }
}

#[test]
fn nothing_is_replaced_unasked() {
    let t = Test::home("keep");
    let path = t.write("manifest.toml", "precious");
    init(&t, &[]).exits(1).complains("exists already").complains("--force");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    init(&t, &["--force"]).ok();
    assert!(std::fs::read_to_string(&path).unwrap().contains("[service."));
}

#[test]
fn on_standard_output() {
    let t = Test::home("stdout");
    let ran = init(&t, &["-o", "-", "--name", "x", "{child}", "--", "$HOME", "a \"b\""]).ok();
    assert!(ran.stdout.ends_with('\n') && ran.stdout.contains("[service.x]"), "{ran}");
    assert!(ran.stdout.contains(r#""$$HOME", "a \"b\"""#), "{ran}");
    assert!(!t.path("manifest.toml").exists() && !t.path("-").exists());
}

#[test]
fn wrong_programs_and_names() {
    let t = Test::home("init_wrong");
    std::fs::create_dir(t.path("folder")).unwrap();
    init(&t, &["no-such-program"]).exits(2).complains("no-such-program").complains("hint");
    init(&t, &["./no-such-program"]).exits(2).complains("no-such-program");
    init(&t, &["./folder"]).exits(2).complains("is a folder");
    init(&t, &["--name", "A B"]).exits(2).complains("`A B`");
    init(&t, &["--kind", "wrker"]).exits(2).complains("worker");
    init(&t, &["-o", "none/x.toml"]).exits(1).complains("none");
    assert!(!t.path("manifest.toml").exists());
}

#[cfg(unix)]
#[test]
fn scripts() {
    use std::os::unix::fs::PermissionsExt as _;
    let t = Test::home("scripts");
    let script = |name: &str, text: &str, mode: u32| {
        let path = t.write(name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    script("runs.sh", "#!/bin/sh\nsleep 1\n", 0o755);
    script("marked", "#!/bin/sh -e\nsleep 1\n", 0o644);
    script("by-env", "#!/usr/bin/env -S sh -e -u\nsleep 1\n", 0o644);
    script("by-ending.sh", "sleep 1\n", 0o644);
    script("unknown", "sleep 1\n", 0o644);
    script("plain", "#!/bin/sh\nsleep 1\n", 0o755);
    let cases = [
        ("./runs.sh", "[\"{dir}/runs.sh\"]", "runs"),
        ("runs.sh", "[\"{dir}/runs.sh\"]", "runs"),
        ("plain", "[\"{dir}/plain\"]", "plain"),
        ("./marked", "[\"/bin/sh\", \"-e\", \"{dir}/marked\"]", "marked"),
        ("./by-env", "[\"sh\", \"-e\", \"-u\", \"{dir}/by-env\"]", "by-env"),
        ("./by-ending.sh", "[\"sh\", \"{dir}/by-ending.sh\"]", "by-ending"),
    ];
    for (i, (program, exec, name)) in cases.into_iter().enumerate() {
        let file = format!("{i}.toml");
        init(&t, &["-o", &file, program]).ok();
        let text = std::fs::read_to_string(t.path(&file)).unwrap();
        assert!(text.contains(&t.fill(&format!("exec = {exec}"))), "{program}: {text}");
        assert!(text.contains(&format!("[service.{name}]")), "{program}: {text}");
        t.run(&["check", &file]).ok();
    }
    init(&t, &["./unknown"]).exits(2).complains("chmod +x");
}
