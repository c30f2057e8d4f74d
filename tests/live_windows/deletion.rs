//! A service that is deleted while somebody has it open is only marked: that is told, with who may have it open.

use windows_sys::Win32::Foundation::ERROR_SERVICE_DOES_NOT_EXIST;

use super::system;
use crate::support::windows::Scm;
use crate::support::{child, eventually};

#[test]
fn who_may_hold_a_service_that_is_to_be_deleted_is_named() {
    let Some(t) = system("held_open") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    // A program that is known to hold services, by its name.
    let console = t.path("mmc.exe");
    std::fs::copy(child(), &console).unwrap();
    let mut console = std::process::Command::new(console).arg("sleep").spawn().unwrap();
    let open = Scm::open(&t.fill("{p}a")).unwrap();
    let ran = t.run(&["uninstall", "{p}a"]).exits(1);
    console.kill().unwrap();
    console.wait().unwrap();
    for said in ["1072", "ERROR_SERVICE_MARKED_FOR_DELETE", "the Services console (mmc)", "Task Manager"] {
        assert!(ran.stderr.contains(said), "`{said}` is not in\n{ran}");
    }
    drop(open);
    // Once nobody has it open, all goes its way.
    t.run(&["uninstall", "{p}a"]).ok();
    eventually("it is gone", || Scm::open(&t.fill("{p}a")).err() == Some(ERROR_SERVICE_DOES_NOT_EXIST));
    t.run(&["status", "{p}a"]).exits(4);
}
