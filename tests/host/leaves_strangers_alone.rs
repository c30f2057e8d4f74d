use std::process::{Child, Command, Stdio};

use daemonctl::host::client;
use daemonctl::host::control::{Ask, Units};
use daemonctl::host::state::path;
use daemonctl::host::sys::{self, Identity};
use daemonctl::report::{Effect, State};
use daemonctl::service::KillScope;

use super::support::*;

/// A process that no supervisor started. It leads a session and a group, so that a signal to either would meet it.
struct Stranger {
    child: Child,
    who: Identity,
}

impl Stranger {
    fn new() -> Self {
        let mut child =
            Command::new("setsid").args(["sleep", "1000"]).stdin(Stdio::null()).spawn().expect("a stranger");
        let pid = i32::try_from(child.id()).expect("a pid");
        let number = nix::unistd::Pid::from_raw(pid);
        until(|| nix::unistd::getsid(Some(number)) == Ok(number))
            .unwrap_or_else(|()| panic!("it leads no session: {:?}", child.try_wait()));
        Self { who: sys::identify(pid).expect("a living process"), child }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn is_well(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a killed supervisor: the number that it wrote down for a unit's main process is the stranger's now.
fn reuse(supervisor: &Supervisor, unit: &str, stranger: &Stranger) {
    let mut file = supervisor.state().expect("a state file");
    let main = file.units.get_mut(unit).and_then(|record| record.main.as_mut()).expect("a main process");
    assert!(!sys::lives(*main), "it would be adopted");
    // As old as a process can be that had the number before.
    *main = Identity { started: stranger.who.started - 1, ..stranger.who };
    std::fs::write(path(&supervisor.layout), serde_json::to_vec(&file).expect("JSON")).expect("write");
}

#[test]
fn a_number_with_another_start_is_another_process() {
    let stranger = Stranger::new();
    assert!(sys::lives(stranger.who));
    for started in [stranger.who.started - 1, stranger.who.started + 1, 0] {
        assert!(!sys::lives(Identity { started, ..stranger.who }));
    }
}

#[test]
fn a_stranger_with_the_number_of_a_main_process_is_neither_adopted_nor_stopped() {
    for scope in [KillScope::Tree, KillScope::Group, KillScope::Main] {
        let mut supervisor = Supervisor::start();
        let mut web = service("web", child(&["sleep"]));
        web.stop.kill = scope;
        supervisor.install(&web);
        supervisor.start_unit("web").expect("started");
        let main = supervisor.main_pid("web");
        supervisor.wait_state("web", State::Running);
        supervisor.kill();
        signal(main, libc::SIGKILL);
        until(|| !lives(main)).expect("dead");
        let mut stranger = Stranger::new();
        reuse(&supervisor, "web", &stranger);

        supervisor.start_again();
        let record = supervisor.wait_state("web", State::Running);
        assert_eq!((record.adopted, record.machine.restarts), (false, 1), "{scope:?}");
        assert!(record.last_exit().expect("an end").reason.contains("nobody saw"), "{scope:?}");
        let next = supervisor.main_pid("web");
        assert_ne!(next, stranger.pid(), "{scope:?}");
        assert!(stranger.is_well(), "{scope:?}: it was taken for what is left of the service");
        assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
        assert!(!lives(next));
        assert!(stranger.is_well(), "{scope:?}: it was stopped with the service");
    }
}

#[test]
fn a_stop_that_the_next_supervisor_goes_on_with_spares_a_stranger() {
    for scope in [KillScope::Tree, KillScope::Group, KillScope::Main] {
        let mut supervisor = Supervisor::start();
        let mut web = service("web", sh("trap '' TERM; echo deaf; exec sleep 1000"));
        web.stop.kill = scope;
        // It is being stopped for as long as this takes.
        web.stop.timeout = std::time::Duration::from_secs(600);
        supervisor.install(&web);
        supervisor.start_unit("web").expect("started");
        until(|| supervisor.log("web").contains("deaf")).expect("it ignores TERM now");
        let main = supervisor.main_pid("web");
        let mut asking = client::connect(&supervisor.layout).expect("connect").expect("a supervisor");
        asking.send(Ask::Stop(Units { units: vec!["web".to_owned()] })).expect("send");
        supervisor.wait_state("web", State::Stopping);
        supervisor.kill();
        signal(main, libc::SIGKILL);
        until(|| !lives(main)).expect("dead");
        let mut stranger = Stranger::new();
        reuse(&supervisor, "web", &stranger);

        supervisor.start_again();
        supervisor.wait_state("web", State::Stopped);
        assert!(stranger.is_well(), "{scope:?}");
    }
}
