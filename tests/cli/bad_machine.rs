//! A machine that cannot take what is asked: the documented exit code, the remedy, and everything as before.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Ran, Test, below, code_of, is_root, program};

const ONE: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n";

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The command as somebody without rights. None, with a word, where such a user cannot reach the program.
fn as_nobody(mut command: Command) -> Option<Command> {
    if !is_root() {
        return Some(command);
    }
    command.uid(65534).gid(65534);
    let reach = Command::new(program()).arg("--version").uid(65534).gid(65534).stdout(Stdio::null()).status();
    if !reach.is_ok_and(|status| status.success()) {
        eprintln!("user nobody cannot run {}", program().display());
        return None;
    }
    Some(command)
}

fn image(t: &Test, args: &[&str]) -> Ran {
    t.run(&[args, &["--root", "image", "--system", "--backend", "systemd"]].concat())
}

#[test]
fn the_systems_services_need_root() {
    let t = Test::home("no_rights");
    mode(&t.manifest(ONE), 0o644);
    for backend in ["systemd", "embedded"] {
        let args = ["install", "manifest.toml", "--system", "--backend", backend];
        let Some(command) = as_nobody(t.command(&args)) else { return };
        let ran = Ran::of(command, &args).exits(7).complains("--user");
        assert!(ran.stderr.contains("hint:"), "{ran}");
    }
}

#[test]
fn a_manifest_that_may_not_be_read() {
    let t = Test::home("unreadable");
    mode(&t.manifest(ONE), 0o000);
    mode(&t.dir, 0o755);
    let args = ["check", "manifest.toml"];
    let mut command = t.command(&args);
    command.env("HOME", "/nonexistent");
    let Some(command) = as_nobody(command) else { return };
    Ran::of(command, &args).exits(7).complains("manifest.toml").complains("hint:");
}

#[test]
fn a_home_that_may_not_be_written() {
    let t = Test::home("no_home");
    mode(&t.manifest(ONE), 0o644);
    std::fs::create_dir(t.path("closed")).unwrap();
    mode(&t.path("closed"), 0o555);
    let args = ["install", "manifest.toml", "--user", "--backend", "embedded"];
    let mut command = t.command(&args);
    command.env("HOME", t.path("closed")).env_remove("XDG_RUNTIME_DIR");
    let Some(command) = as_nobody(command) else { return };
    Ran::of(command, &args).exits(7).complains("closed").complains("hint:");
    assert_eq!(below(&t.path("closed")).len(), 1);
}

#[test]
fn a_folder_stands_where_a_unit_goes() {
    let t = Test::home("in_the_way");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n[service.{p}b]\nexec = [\"{child}\", \"sleep\"]\n[service.{p}c]\nexec = [\"{child}\", \"sleep\"]\n",
    );
    let way = t.path(&t.fill("image/etc/systemd/system/{p}b.service"));
    std::fs::create_dir_all(way.join("inner")).unwrap();
    let before = below(&t.path("image/etc"));
    for flags in [&[][..], &["--adopt"]] {
        let ran = image(&t, &[&["install", "manifest.toml"], flags].concat());
        assert_ne!(ran.code, 0, "{ran}");
        assert!(ran.stderr.contains(&t.fill("{p}b.service")) && ran.stderr.contains("hint:"), "{ran}");
        assert_eq!(below(&t.path("image/etc")), before, "everything must be as before");
        image(&t, &["list"]).ok().never_says(&t.fill("{p}a"));
    }
}

#[test]
fn a_unit_that_somebody_else_wrote() {
    let t = Test::home("foreign_unit");
    t.manifest(ONE);
    let unit = t.path(&t.fill("image/etc/systemd/system/{p}a.service"));
    std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    mode(&unit, 0o640);
    let before = below(&t.path("image/etc"));
    image(&t, &["install", "manifest.toml"]).exits(1).complains("--adopt").complains(&t.fill("{p}a.service"));
    assert_eq!(below(&t.path("image/etc")), before);
    image(&t, &["install", "manifest.toml", "--adopt"]).ok();
    assert!(std::fs::read_to_string(&unit).unwrap().contains("testchild"));
    image(&t, &["uninstall", "{p}a"]).ok();
    assert_eq!(below(&t.path("image/etc")), before, "what was adopted comes back");
    assert_eq!(unit.metadata().unwrap().permissions().mode() & 0o7777, 0o640, "with its mode");
}

#[test]
fn nothing_is_written_through_a_link() {
    let t = Test::home("through_link");
    t.manifest(ONE);
    let victim = t.write("victim", "precious");
    let unit = t.path(&t.fill("image/etc/systemd/system/{p}a.service"));
    std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
    symlink(&victim, &unit).unwrap();
    let ran = image(&t, &["install", "manifest.toml"]);
    assert_ne!(ran.code, 0, "{ran}");
    image(&t, &["install", "manifest.toml", "--adopt"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    image(&t, &["uninstall", "--all"]).ok();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_state_folder_that_is_no_folder() {
    let t = Test::home("state_file");
    t.manifest(ONE);
    std::fs::create_dir_all(t.path("image/var/lib")).unwrap();
    std::fs::write(t.path("image/var/lib/daemonctl"), "x").unwrap();
    let before = below(&t.path("image"));
    let ran = image(&t, &["install", "manifest.toml"]);
    assert_ne!(ran.code, 0, "{ran}");
    assert!(ran.stderr.contains("var/lib/daemonctl"), "{ran}");
    assert_eq!(below(&t.path("image")), before);
}

#[test]
fn a_receipt_that_is_damaged() {
    let t = Test::home("damaged");
    t.manifest(ONE);
    std::fs::create_dir(t.path("image")).unwrap();
    image(&t, &["install", "manifest.toml"]).ok();
    let receipt = t.path(&t.fill("image/var/lib/daemonctl/receipts/{p}a.json"));
    let whole = std::fs::read(&receipt).unwrap();
    for damage in [&b""[..], &whole[..whole.len() / 2], b"\0\xff", b"{}", b"[]"] {
        std::fs::write(&receipt, damage).unwrap();
        for verb in ["list", "uninstall", "install"] {
            let args: &[&str] = if verb == "list" { &["list"] } else { &[verb, "manifest.toml"] };
            let ran = image(&t, args);
            assert!(ran.code != 0 && ran.code != 101 && ran.code != -1, "{ran}");
            assert!(ran.stderr.contains(&t.fill("{p}a.json")) && ran.stderr.contains("hint:"), "{ran}");
        }
    }
    std::fs::write(&receipt, whole).unwrap();
    image(&t, &["uninstall", "manifest.toml"]).ok().says("removed");
}

#[test]
fn several_installs_at_once() {
    let t = Test::home("at_once");
    t.manifest(ONE);
    let children: Vec<_> =
        (0..4).map(|_| t.command(&["install", "manifest.toml"]).stdout(Stdio::null()).spawn().unwrap()).collect();
    for child in children {
        assert_eq!(code_of(child), 0);
    }
    t.pid("{p}a");
    t.install().ok().says("unchanged");
}
