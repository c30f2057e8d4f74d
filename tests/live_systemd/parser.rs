//! systemd's own parser reads the units before anything changes; where it is missing, that is said.

use std::process::Command;

use crate::support::{Ran, Test, is_root};

/// A command on a machine that has no `systemd-analyze`.
fn without_parser(t: &Test, args: &[&str]) -> Command {
    let mut command = t.command(args);
    if !is_root() {
        command.env("PATH", "/nowhere");
        return command;
    }
    // Root's programs are looked for where the system has them, whatever PATH says.
    let script = "mount --bind /dev/null \"$(command -v systemd-analyze)\" && exec \"$@\"";
    let mut masked = Command::new("unshare");
    masked.args(["--mount", "sh", "-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        masked.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => masked.env(name, value),
            None => masked.env_remove(name),
        };
    }
    masked
}

#[test]
fn a_machine_without_the_parser() {
    let Some(t) = Test::live("no_parser") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    let args = ["install", "manifest.toml"];
    let install = || Ran::of(without_parser(&t, &args), &args);
    install().ok().says("running").says("there is no `systemd-analyze` here");
    let ran = install().ok().says("unchanged");
    assert!(!ran.stdout.contains("systemd-analyze"), "nothing was to be read:\n{ran}");
    t.run(&["uninstall", "{p}a"]).ok();
}
