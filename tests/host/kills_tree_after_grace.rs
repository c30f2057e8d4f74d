use std::time::Duration;

use daemonctl::report::{Effect, State};
use daemonctl::service::KillScope;

use super::support::*;

/// A shell that starts a child in a session of its own, which is orphaned at once and cares for no signal, and stays.
fn family(supervisor: &Supervisor) -> Vec<String> {
    let pid = supervisor.file("grandchild").display().to_string();
    let mut exec = sh("(setsid sh -c 'trap \"\" TERM; echo $$ > \"$0\"; while :; do sleep 1000; done' \"$0\" &)\n\
         exec sleep 1000");
    exec.push(pid);
    exec
}

#[test]
fn a_grandchild_in_its_own_session_that_ignores_term_is_killed_when_its_time_is_up() {
    let supervisor = Supervisor::start();
    let mut web = service("web", family(&supervisor));
    web.stop.timeout = Duration::from_millis(300);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let grandchild = pid_in(&supervisor.file("grandchild"));
    let main = i32::try_from(supervisor.main_pid("web")).expect("a pid");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(!lives(grandchild), "it must be gone when `stop` says so");
    let stop = supervisor.wait_state("web", State::Stopped).stop;
    let what: Vec<_> = stop.iter().map(|sent| sent.what.as_str()).collect();
    assert_eq!((what.first(), &stop[0].to), (Some(&"SIGTERM"), &vec![main]), "{stop:?}");
    assert_eq!(what.last(), Some(&"SIGKILL"), "{stop:?}");
    let ignored = stop.iter().any(|sent| sent.ignored_by.contains(&i32::try_from(grandchild).expect("a pid")));
    assert!(ignored, "the report names who ignored what: {stop:?}");
}

#[test]
fn what_is_left_of_a_crashed_service_is_gone_before_the_next_run() {
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", family(&supervisor)));
    supervisor.start_unit("web").expect("started");
    let grandchild = pid_in(&supervisor.file("grandchild"));
    std::fs::remove_file(supervisor.file("grandchild")).expect("remove");
    signal(supervisor.main_pid("web"), libc::SIGKILL);
    let next = pid_in(&supervisor.file("grandchild"));
    assert_ne!(grandchild, next);
    assert!(!lives(grandchild), "two live children");
}

#[test]
fn a_service_that_ignores_term_is_killed() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("trap '' TERM; echo deaf; while :; do sleep 1000; done"));
    web.stop.timeout = Duration::from_millis(200);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    until(|| supervisor.log("web").contains("deaf")).expect("it ignores TERM now");
    let main = supervisor.main_pid("web");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(!lives(main));
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Unchanged));
}

#[test]
fn with_kill_main_the_rest_lives_on() {
    let supervisor = Supervisor::start();
    let mut web = service("web", family(&supervisor));
    web.stop.kill = KillScope::Main;
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let grandchild = pid_in(&supervisor.file("grandchild"));
    supervisor.stop_unit("web").expect("stopped");
    assert!(lives(grandchild));
    signal(grandchild, libc::SIGKILL);
}

#[test]
#[cfg(target_os = "linux")]
fn a_daemon_that_has_cleared_session_parents_and_environment_is_found() {
    let supervisor = Supervisor::start();
    let script = "(setsid env -i /bin/sh -c 'echo $$ > \"$0\"; exec sleep 1000' \"$0\" &)\nexec sleep 1000";
    let mut web = service("web", sh(script));
    web.exec.push(supervisor.file("daemon").display().to_string());
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let daemon = pid_in(&supervisor.file("daemon"));
    let environment = std::fs::read(format!("/proc/{daemon}/environ")).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&environment).contains("DAEMONCTL"), "it has cleared it");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(!lives(daemon), "it carries no mark in its environment, and is the service's all the same");
}
