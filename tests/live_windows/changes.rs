//! What an install changes and what it leaves alone, seen by the processes of the hosts and of their programs.

use windows_sys::Win32::Foundation::{ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_NOT_ACTIVE};
use windows_sys::Win32::System::Services::{SERVICE_CONTROL_STOP, SERVICE_RUNNING, SERVICE_STOPPED};

use super::system;
use crate::support::Test;
use crate::support::windows::Scm;

/// The host's process and the program's.
fn processes(t: &Test, unit: &str) -> (u32, i32) {
    let program = t.pid(unit);
    (Scm::open(&t.fill(unit)).unwrap().status().dwProcessId, program)
}

#[test]
fn a_second_install_restarts_nothing_and_a_changed_one_what_changed() {
    let Some(t) = system("what_changed") else { return };
    let manifest = |env: &str, description: &str| {
        t.manifest(&format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"sleep\"]\ndescription = \"{description}\"\n\
             [service.{{p}}b]\nexec = [\"{{child}}\", \"sleep\"]\nenv = {{ WHICH = \"{env}\" }}\n"
        ));
    };
    manifest("old", "one");
    t.install().ok().says("installed");
    let (a, b) = (processes(&t, "{p}a"), processes(&t, "{p}b"));
    t.install().ok().says("unchanged").never_says("restarted");
    assert_eq!((processes(&t, "{p}a"), processes(&t, "{p}b")), (a, b), "nothing has changed");
    manifest("new", "one");
    t.install().ok().says("updated");
    assert_eq!(processes(&t, "{p}a"), a, "it has not changed");
    let changed = processes(&t, "{p}b");
    assert!(changed.0 != b.0 && changed.1 != b.1, "{changed:?} is still {b:?}");
    // What only the manager keeps is changed in place.
    manifest("new", "two");
    t.install().ok().says("updated");
    assert_eq!((processes(&t, "{p}a"), processes(&t, "{p}b")), (a, changed), "a description is no reason to restart");
}

#[test]
fn what_somebody_else_started_or_stopped_is_unchanged() {
    let Some(t) = system("somebody_else") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.run(&["install", "manifest.toml", "--no-start"]).ok();
    let scm = Scm::open(&t.fill("{p}a")).unwrap();
    scm.start().unwrap();
    scm.wait_for(SERVICE_RUNNING);
    assert_eq!(scm.start(), Err(ERROR_SERVICE_ALREADY_RUNNING));
    let pid = t.pid("{p}a");
    t.run(&["start", "{p}a"]).ok().says("unchanged");
    assert_eq!(t.pid("{p}a"), pid);
    scm.control(SERVICE_CONTROL_STOP).unwrap();
    scm.wait_for(SERVICE_STOPPED);
    assert_eq!(scm.control(SERVICE_CONTROL_STOP), Err(ERROR_SERVICE_NOT_ACTIVE));
    t.run(&["stop", "{p}a"]).ok().says("unchanged");
    t.run(&["status", "{p}a"]).exits(3);
}
