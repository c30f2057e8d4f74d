//! Uninstall: nothing is left, and what keeps a service from going is named.

use super::*;

#[test]
fn nothing_is_left() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    machine.scm.log();
    machine.uninstall("web").unwrap();
    assert_eq!(
        machine.scm.log(),
        ["stop web", "change web: start", "change web: start", "delete web", "no source daemonctl-web"]
    );
    assert!(machine.service("web").is_none() && !machine.spec("web").exists());
    assert!(machine.session().receipts.is_empty());
}

#[test]
fn a_service_that_is_gone_already_is_no_failure() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    machine.scm.machine.borrow_mut().services.clear();
    machine.uninstall("web").unwrap();
    assert!(machine.session().receipts.is_empty());
}

#[test]
fn who_holds_a_deleted_service_is_named() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    {
        let scm = &mut machine.scm.machine.borrow_mut();
        scm.foreign.push("web".to_owned());
        scm.running = vec!["MMC.EXE".to_owned(), "services.exe".to_owned(), "procexp64.exe".to_owned()];
    }
    let error = machine.uninstall("web").map(drop).unwrap_err();
    let said = told(&error);
    assert!(said.contains("1072") && said.contains("the Services console (mmc), Process Explorer"), "{said}");
    // The last handle is closed: the next command ends it.
    machine.scm.machine.borrow_mut().foreign.clear();
    machine.uninstall("web").unwrap();
    assert!(machine.service("web").is_none());
}

#[test]
fn a_service_that_is_still_going_is_waited_for_and_made_anew() {
    use super::super::scm::{ScmApi, access};
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    machine.scm.machine.borrow_mut().foreign.push("web".to_owned());
    machine.uninstall("web").map(drop).unwrap_err();
    // Deleted, held by a console; once that is closed there is a new one.
    assert!(machine.scm.open("web", access::QUERY_STATUS).map(|raw| machine.scm.close(raw)).is_ok());
    machine.scm.machine.borrow_mut().foreign.clear();
    machine.install(WEB).unwrap();
    assert!(machine.is_running("web"));
}

#[test]
fn a_change_by_somebody_else_is_noted() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().basic.start = 4;
    let planned = machine.uninstall("web").unwrap();
    assert!(planned.notes.iter().any(|note| note.contains("had been changed")), "{:?}", planned.notes);
}
