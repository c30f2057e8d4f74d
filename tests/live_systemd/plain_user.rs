//! Who may not change the machine may look, and sees what root sees.

use std::process::Command;

use crate::support::{Ran, Test, Where, program};

#[test]
fn a_plan_tells_what_root_would_change() {
    let Some(t) = Test::live("plain_user") else { return };
    if t.place != Where::Systemd {
        return;
    }
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let run = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--reset-env"]);
        command.arg(program()).arg("--system").args(args.iter().map(|arg| t.fill(arg))).current_dir(&t.dir);
        Ran::of(command, args)
    };
    run(&["plan", "manifest.toml", "--exit-code"]).ok().says("no changes");
    run(&["status", "{p}a"]).ok().says("drift none");
    let name = t.fill("{p}a");
    run(&["list"]).ok().says(&name);
    for args in [&["install", "manifest.toml"][..], &["stop", "{p}a"], &["uninstall", "{p}a"]] {
        run(args).exits(7).complains("sudo");
    }
    t.run(&["status", "{p}a"]).ok();
}
