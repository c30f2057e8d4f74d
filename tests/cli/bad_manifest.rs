//! A manifest that is wrong: exit code 6, what is wrong and what to do about it, and nothing is touched.

use crate::support::{Ran, Test, below};

#[track_caller]
fn refused(t: &Test, args: &[&str], said: &[&str]) -> Ran {
    let before = below(&t.dir);
    let ran = t.run(args).exits(6);
    for text in said {
        assert!(ran.stderr.contains(text), "`{text}` is not in\n{ran}");
    }
    // A remedy on a line of its own, or at the fault itself what is expected there.
    assert!(["hint:", "help:", "^ "].iter().any(|mark| ran.stderr.contains(mark)), "no remedy in\n{ran}");
    assert_eq!(below(&t.dir), before, "something was touched:\n{ran}");
    ran
}

#[test]
fn files_that_are_no_manifest() {
    let t = Test::home("no_manifest");
    std::fs::create_dir(t.path("folder")).unwrap();
    std::fs::write(t.path("binary.toml"), [0u8, 159, 146, 150, 255, 7, 10, 0]).unwrap();
    std::fs::write(t.path("empty.toml"), "").unwrap();
    for command in ["check", "plan", "install", "run", "render"] {
        refused(&t, &[command, "none.toml"], &["none.toml", "daemonctl init"]);
        refused(&t, &[command, "folder"], &["is a folder", "manifest.toml"]);
        refused(&t, &[command, "binary.toml"], &["binary"]);
        refused(&t, &[command, "empty.toml"], &["empty"]);
        refused(&t, &[command, "-"], &["empty"]);
    }
}

#[test]
fn hostile_names() {
    let t = Test::home("hostile_names");
    for name in ["..", ".", "a/b", "../x", "a b", "", "a\\nb", "a\\u0000", "-x/", "a@b", "%n", "ü", &"n".repeat(300)] {
        t.manifest(&format!("[service.\"{name}\"]\nexec = [\"{{child}}\"]\n"));
        refused(&t, &["install", "manifest.toml"], &["manifest.toml:1"]);
    }
}

#[test]
fn what_no_program_can_be_given() {
    let t = Test::home("nul");
    let wrong = [
        "exec = [\"{child}\", \"a\\u0000b\"]",
        "exec = [\"{child}\\u0000\"]",
        "exec = [\"{child}\"]\nenv = { A = \"a\\u0000b\" }",
        "exec = [\"{child}\"]\nenv = { \"A=B\" = \"x\" }",
        "exec = [\"{child}\"]\nworking_dir = \"{dir}\\u0000\"",
    ];
    for keys in wrong {
        t.manifest(&format!("[service.a]\n{keys}\n"));
        refused(&t, &["install", "manifest.toml"], &["manifest.toml:"]);
    }
}

#[test]
fn variables_that_nothing_sets() {
    let t = Test::home("variables");
    t.manifest("[service.a]\nexec = [\"{child}\", \"${env.DAEMONCTL_TEST_NOTHING}\"]\n");
    refused(&t, &["install", "manifest.toml"], &["DAEMONCTL_TEST_NOTHING", ":-default"]);
    t.manifest("[service.a]\nexec = [\"{child}\", \"${manifest_dri}\"]\n");
    refused(&t, &["install", "manifest.toml"], &["manifest_dri", "manifest_dir"]);
    t.manifest("[service.a]\nexec = [\"{child}\", \"${env.DAEMONCTL_TEST_NOTHING:-x}\"]\n");
    t.run(&["check", "manifest.toml"]).ok();
}

#[test]
fn what_is_not_on_the_machine() {
    let t = Test::home("not_there");
    t.write("plain", "no program");
    let wrong: [(&str, &str, &str); 8] = [
        ("exec = [\"{dir}/none\"]", "does not exist", "manifest.toml:2"),
        ("exec = [\"./none\"]", "does not exist", "manifest.toml:2"),
        ("exec = [\"no-such-program-here\"]", "no-such-program-here", "manifest.toml:2"),
        ("exec = [\"{dir}/plain\"]", "is not executable", "chmod +x"),
        ("exec = [\"{dir}\"]", "is a folder", "manifest.toml:2"),
        ("exec = [\"{child}\"]\nworking_dir = \"{dir}/none\"", "does not exist", "mkdir -p"),
        ("exec = [\"{child}\"]\nworking_dir = \"{dir}/plain\"", "is no folder", "manifest.toml:3"),
        ("exec = [\"{child}\"]\nenv_file = [\"{dir}/none\"]", "does not exist", "optional = true"),
    ];
    for (keys, what, more) in wrong {
        if cfg!(windows) && keys.contains("plain\"]") {
            continue;
        }
        t.manifest(&format!("[service.a]\n{keys}\n"));
        for command in ["check", "install"] {
            refused(&t, &[command, "manifest.toml"], &[what, more]);
        }
    }
}

#[cfg(unix)]
#[test]
fn accounts_that_are_not_there() {
    let t = Test::home("accounts");
    std::fs::create_dir(t.path("image")).unwrap();
    for (key, remedy) in [("user", "useradd"), ("group", "groupadd")] {
        t.manifest(&format!("[service.a]\nexec = [\"{{child}}\"]\n{key} = \"no-such-account\"\n"));
        let args = ["check", "manifest.toml", "--system", "--backend", "embedded"];
        refused(&t, &args, &["no-such-account", remedy]);
        // A number is an account's number: service managers look it up as well.
        t.manifest(&format!("[service.a]\nexec = [\"{{child}}\"]\n{key} = \"3999999998\"\n"));
        refused(&t, &args, &["3999999998", "has this number"]);
        t.manifest(&format!("[service.a]\nexec = [\"{{child}}\"]\n{key} = \"0\"\n"));
        t.run(&args).ok();
        // In user scope nobody but the user can run it.
        refused(&t, &["check", "manifest.toml"], &["user scope", "--system"]);
        // An image has accounts of its own.
        t.manifest(&format!("[service.a]\nexec = [\"{{child}}\"]\n{key} = \"no-such-account\"\n"));
        t.run(&["check", "manifest.toml", "--system", "--backend", "systemd", "--root", "image"]).ok();
    }
}
