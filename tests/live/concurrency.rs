//! Two commands at once, and a polite kill in the middle of one (Ctrl-C is the same, but shells without a terminal have
//! their background commands ignore it).

use std::process::Stdio;

use crate::support::{Test, code_of};

#[test]
fn two_installs_at_once() {
    let Some(t) = Test::live("at_once") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n[service.{p}b]\nexec = [\"{child}\", \"sleep\"]\n");
    let mut children = Vec::new();
    for _ in 0..4 {
        children.push(t.command(&["install", "manifest.toml"]).stdout(Stdio::null()).spawn().unwrap());
    }
    for child in children {
        assert_eq!(code_of(child), 0);
    }
    t.pid("{p}a");
    t.pid("{p}b");
    t.install().ok().says("unchanged");
}

#[cfg(unix)]
#[test]
fn a_polite_kill_while_a_service_comes_up() {
    use crate::support::{eventually, signal};
    use nix::sys::signal::Signal;

    let Some(t) = Test::live("ctrl_c") else { return };
    let before = t.machine();
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--pid-file\", \"{dir}/pid\", \"sleep\"]\nready = { notify = true, timeout = \"50s\" }\nstop = { timeout = \"5s\" }\n",
    );
    let install = t.command(&["install", "manifest.toml"]).stderr(Stdio::null()).spawn().unwrap();
    eventually("the service was spawned", || t.path("pid").exists());
    let begun = std::time::Instant::now();
    signal(i32::try_from(install.id()).unwrap(), Signal::SIGTERM);
    assert_ne!(code_of(install), 0);
    assert_eq!(t.machine(), before, "an interrupted install must leave everything as before");
    assert!(begun.elapsed().as_secs() < 30, "the signal was not heeded");
    t.run(&["start", "--all"]);
    assert_eq!(t.machine(), before, "an interrupted install must leave everything as before");
    t.run(&["status", "{p}a"]).exits(4);
}
