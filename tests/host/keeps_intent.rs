use daemonctl::report::State;

use super::support::*;

#[test]
fn what_was_stopped_stays_down_and_what_is_enabled_comes_up() {
    let mut supervisor = Supervisor::start();
    for name in ["one", "two", "three"] {
        supervisor.install(&service(name, child(&["sleep"])));
    }
    supervisor.enable("one");
    supervisor.enable("two");
    supervisor.start_unit("one").expect("started");
    supervisor.start_unit("two").expect("started");
    supervisor.stop_unit("two").expect("stopped");
    let main = supervisor.main_pid("one");
    assert!(supervisor.term(), "an orderly end");
    assert!(!lives(main), "TERM stops the services");

    supervisor.start_again();
    supervisor.wait_state("one", State::Running);
    for name in ["two", "three"] {
        assert_eq!(supervisor.record(name).expect("known").machine.word(), State::Stopped, "{name}");
    }
}

#[test]
fn a_stop_beats_restart_always() {
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    supervisor.stop_unit("web").expect("stopped");
    let record = supervisor.wait_state("web", State::Stopped);
    assert_eq!((record.machine.restarts, record.machine.deadline), (0, None));
}
