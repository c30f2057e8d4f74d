//! A unit that somebody else made is never overwritten without `--adopt`, and comes back at uninstall.

use std::path::PathBuf;
use std::process::Command;

use crate::support::Test;

fn unit_folder(t: &Test) -> PathBuf {
    if t.system_scope() {
        return "/etc/systemd/system".into();
    }
    let folder = PathBuf::from(std::env::var_os("HOME").unwrap()).join(".config/systemd/user");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn systemctl(t: &Test, args: &[&str]) -> bool {
    let mut command = Command::new("systemctl");
    if !t.system_scope() {
        command.arg("--user");
    }
    command.args(args).status().unwrap().success()
}

#[test]
fn a_file_of_somebody_else() {
    let Some(t) = Test::live("foreign") else { return };
    let path = unit_folder(&t).join("foreign-a.service");
    let content = "[Service]\nExecStart=/bin/sleep 12345\n";
    std::fs::write(&path, content).unwrap();
    let before = t.machine();
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().exits(1).complains("foreign-a.service").complains("--adopt");
    assert_eq!(t.machine(), before);
    t.run(&["install", "manifest.toml", "--adopt"]).ok();
    t.pid("{p}a");
    t.run(&["uninstall", "{p}a"]).ok();
    assert_eq!(t.machine(), before, "the adopted unit must be back");
    std::fs::remove_file(&path).unwrap();
    assert!(systemctl(&t, &["daemon-reload"]));
}

#[test]
fn a_unit_of_the_distribution() {
    let Some(t) = Test::live("vendor") else { return };
    if !t.system_scope() {
        return;
    }
    // nginx.service is the package's, below /lib: a file in /etc would shadow it.
    let before = t.machine();
    t.manifest("[service.nginx]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().exits(1).complains("nginx").complains("--adopt");
    assert_eq!(t.machine(), before);
}

#[test]
fn a_unit_of_somebody_else_is_named_by_status() {
    let Some(t) = Test::live("stranger") else { return };
    let path = unit_folder(&t).join("stranger-a.service");
    std::fs::write(&path, "[Service]\nExecStart=/bin/sleep 12345\n").unwrap();
    assert!(systemctl(&t, &["daemon-reload"]));
    t.run(&["status", "stranger-a"]).exits(4).says("`stranger-a.service`").says("did not install");
    let none = t.run(&["status", "stranger-none"]).exits(4);
    assert!(!none.stdout.contains("did not install"), "{none}");
    std::fs::remove_file(&path).unwrap();
    assert!(systemctl(&t, &["daemon-reload"]));
}
