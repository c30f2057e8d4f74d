//! A daemon of the old kind: it forks, the child has a session of its own, and what was started ends at once.

use std::time::Duration;

use daemonctl::report::{Effect, State};
use daemonctl::service::RestartPolicy;

use super::support::*;

fn daemon(supervisor: &Supervisor) -> Vec<String> {
    child(&["fork-leave", "--pid-file", &supervisor.file("daemon").display().to_string(), "sleep"])
}

#[test]
fn what_it_left_is_not_the_service_and_is_gone_when_the_run_is_over() {
    let supervisor = Supervisor::start();
    let mut web = service("web", daemon(&supervisor));
    web.restart.policy = RestartPolicy::OnFailure;
    supervisor.install(&web);
    let trouble = supervisor.start_unit("web").expect_err("nobody is there to be supervised");
    assert!(trouble.message.contains("did not start"), "{trouble:?}");
    let daemon = pid_in(&supervisor.file("daemon"));
    supervisor.wait_state("web", State::Stopped);
    assert!(!lives(daemon), "the run is over, and so is all of it");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Unchanged));
}

#[test]
fn started_again_and_again_there_are_never_two_of_it() {
    let supervisor = Supervisor::start();
    let mut web = service("web", daemon(&supervisor));
    web.restart.factor = 1.0;
    supervisor.install(&web);
    let _ = supervisor.start_unit("web");
    let file = supervisor.file("daemon");
    let mut last = pid_in(&file);
    for _ in 0..5 {
        let mut next = last;
        until(|| {
            next = pid_in(&file);
            next != last
        })
        .expect("the next run");
        assert!(!lives(last), "two of them live");
        last = next;
    }
    assert!(matches!(supervisor.stop_unit("web"), Ok(Effect::Stopped | Effect::Unchanged)));
    assert!(!lives(last) && !lives(pid_in(&file)));
}

#[test]
fn a_main_process_that_stays_while_its_daemons_leave_is_the_service_and_they_go_with_it() {
    let mut supervisor = Supervisor::start();
    let mut exec =
        sh("for n in 1 2 3; do \"$0\" fork-leave --pid-file \"$1.$n\" sleep; done; echo all left; exec sleep 1000");
    exec.extend([testchild(), supervisor.file("daemon").display().to_string()]);
    let mut web = service("web", exec);
    web.stop.timeout = Duration::from_secs(10);
    supervisor.install(&web);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    until(|| supervisor.log("web").contains("all left")).expect("they have left");
    let daemons: Vec<u32> = (1..=3).map(|n| pid_in(&supervisor.file(&format!("daemon.{n}")))).collect();
    assert!(daemons.iter().all(|pid| lives(*pid)), "they are the service's own affair while it runs");
    supervisor.kill();
    supervisor.start_again();
    supervisor.wait_state("web", State::Running);
    assert!(daemons.iter().all(|pid| lives(*pid)));
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(daemons.iter().all(|pid| !lives(*pid)), "the next supervisor finds them too");
}
