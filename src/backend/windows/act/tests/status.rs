//! What is said of a service: states, exit codes, drift.

use super::super::scm::{Seen, state};
use super::*;
use crate::backend::Detail;
use crate::report::{Drift, State, Status};

fn seen(machine: &Box_, state: u32, exit: u32, specific: u32) -> Status {
    let pid = if state == super::super::scm::state::STOPPED { 0 } else { 77 };
    let seen = Seen { state, accepts: 0, exit, specific, checkpoint: 0, hint: 0, pid };
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().seen = seen;
    machine.manager().status(&machine.units(WEB), Detail::Full).unwrap().remove(0)
}

#[test]
fn each_answer_has_its_meaning() {
    let machine = Box_::new();
    machine.install_with(WEB, &Options { no_start: true, ..Options::default() }).unwrap();
    machine.scm.machine.borrow_mut().frozen = true;
    for (state, exit, specific, meaning) in [
        (state::RUNNING, 0, 0, State::Running),
        (state::START_PENDING, 0, 0, State::Starting),
        (state::STOP_PENDING, 0, 0, State::Stopping),
        (state::STOPPED, 0, 0, State::Stopped),
        (state::STOPPED, 1077, 0, State::Stopped),
        (state::STOPPED, 1066, 3, State::Failed),
        (state::STOPPED, 1067, 0, State::Failed),
        (99, 0, 0, State::Unknown),
    ] {
        assert_eq!(seen(&machine, state, exit, specific).state, meaning, "{state} {exit}");
    }
    let status = seen(&machine, state::STOPPED, 1066, 3);
    assert_eq!(status.last_exit.unwrap().code, Some(3));
    assert_eq!(status.raw_state.as_deref(), Some("STOPPED (exit code 1066, 3)"));
    let status = seen(&machine, state::STOPPED, 1066, 0xC000_0005);
    assert!(status.last_exit.unwrap().reason.contains("access violation"));
    assert_eq!(seen(&machine, state::STOPPED, 1077, 0).last_exit, None);
    machine.scm.machine.borrow_mut().services.clear();
    let gone = machine.manager().status(&machine.units(WEB), Detail::Full).unwrap().remove(0);
    assert_eq!(gone.state, State::NotInstalled);
}

#[test]
fn a_host_that_died_without_a_word_is_told() {
    let machine = Box_::new();
    machine.install_with(WEB, &Options { no_start: true, ..Options::default() }).unwrap();
    machine.scm.machine.borrow_mut().frozen = true;
    let reason = |exit| seen(&machine, state::STOPPED, exit, 0).last_exit.map(|last| last.reason).unwrap_or_default();
    assert!(reason(1067).contains("1067"));
    // What it was last, of a host that had no time to say what became of it.
    let folder = machine.layout.runtime.join("hosts").join("web");
    std::fs::create_dir_all(&folder).unwrap();
    let state = r#"{"version":1,"daemonctl":"x","boot":"b","supervisor":{"pid":4711,"started":1},"units":{}}"#;
    std::fs::write(folder.join("state.json"), state).unwrap();
    let status = seen(&machine, state::STOPPED, 1067, 0);
    assert_eq!((status.state, status.wanted), (State::Failed, Some(crate::report::Wanted::Up)));
    assert!(status.last_exit.unwrap().reason.contains("its host, process 4711, was killed or crashed"));
    assert!(status.notes.iter().any(|note| note.contains("starts it again after 1s")), "{:?}", status.notes);
    // One that said what became of it, or that was not started since the machine was, did not die so.
    assert!(seen(&machine, state::STOPPED, 1066, 3).last_exit.unwrap().reason.contains("code 3"));
    assert_eq!(seen(&machine, state::STOPPED, 1077, 0).state, State::Stopped);
}

#[test]
fn drift_names_the_fields() {
    let machine = Box_::new();
    machine.install(WEB).unwrap();
    machine.scm.machine.borrow_mut().frozen = true;
    let drift = || crate::status::look(&mut machine.session(), &["web".to_owned()], true).unwrap().services.remove(0);
    assert_eq!(drift().drift, Some(Drift::None));
    machine.scm.machine.borrow_mut().services.get_mut("web").unwrap().basic.account = "LocalSystem".to_owned();
    let status = drift();
    assert_eq!(status.drift, Some(Drift::Artifact));
    assert!(
        status
            .notes
            .iter()
            .any(|note| note.contains(r"Account: installed was `NT SERVICE\web`, there is `LocalSystem`"))
    );
    machine.scm.machine.borrow_mut().services.clear();
    assert_eq!(drift().drift, Some(Drift::Missing));
}
