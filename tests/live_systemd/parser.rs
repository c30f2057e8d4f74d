//! systemd's own parser reads the units before anything changes; where it is missing, that is said.

use crate::support::{Ran, Test};

#[test]
fn a_machine_without_the_parser() {
    let Some(t) = Test::live("no_parser") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    let install = || {
        let mut command = t.command(&["install", "manifest.toml"]);
        command.env("PATH", "/nowhere");
        Ran::of(command, &["install", "manifest.toml"])
    };
    install().ok().says("running").says("there is no `systemd-analyze` here");
    let ran = install().ok().says("unchanged");
    assert!(!ran.stdout.contains("systemd-analyze"), "nothing was to be read:\n{ran}");
    t.run(&["uninstall", "{p}a"]).ok();
}
