//! Receivers of events that hang hold up nobody: not the supervisor, not the services, not other receivers.

use std::net::TcpListener;
use std::time::Duration;

use daemonctl::host::control::Ask;
use daemonctl::report::{Effect, State};
use daemonctl::service::{Hook, HookAction, HookFailure};

use super::support::*;

fn hook(action: HookAction) -> Hook {
    Hook { action, timeout: Duration::from_secs(600), on_failure: HookFailure::Ignore, secret: None }
}

fn webhook(listener: &TcpListener) -> Hook {
    hook(HookAction::Webhook(format!("http://{}/", listener.local_addr().expect("an address"))))
}

#[test]
fn fifty_that_call_one_that_hangs_are_started_and_stopped_and_who_calls_another_is_heard() {
    let supervisor = Supervisor::start();
    // It accepts, in its backlog, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let well = TcpListener::bind("127.0.0.1:0").expect("a port");
    let names: Vec<String> = (0..50).map(|number| format!("slow{number}")).collect();
    for name in &names {
        let mut slow = service(name, child(&["sleep"]));
        slow.hooks.event = vec![webhook(&silent)];
        supervisor.install(&slow);
    }
    let mut web = service("web", child(&["sleep"]));
    web.hooks.event = vec![webhook(&silent), webhook(&well)];
    supervisor.install(&web);
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let started = supervisor.verb(Ask::Start, &all);
    assert!(started.len() == 50 && started.values().all(|answer| *answer == Ok(Effect::Started)), "{started:?}");
    let threads = threads(supervisor.pid());
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    let (mut call, _) = well.accept().expect("the call");
    let mut heard = Vec::new();
    while !heard.ends_with(b"}") {
        let mut piece = [0; 1024];
        let length = std::io::Read::read(&mut call, &mut piece).expect("an event");
        assert!(length > 0, "{}", heard.escape_ascii());
        heard.extend_from_slice(&piece[..length]);
    }
    assert!(String::from_utf8_lossy(&heard).contains("\"web\""), "{}", heard.escape_ascii());
    assert_eq!(super::bears_slow_webhooks::threads(supervisor.pid()), threads);
    let stopped = supervisor.verb(Ask::Stop, &all);
    assert!(stopped.values().all(|answer| *answer == Ok(Effect::Stopped)), "{stopped:?}");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
}

#[test]
fn commands_that_hang_hold_up_no_restart_and_are_killed_when_the_supervisor_ends() {
    let mut supervisor = Supervisor::start();
    let pids = supervisor.file("pids").display().to_string();
    let mut crash = service("crash", sh("exit 3"));
    let mut slow = sh("echo $$ >> \"$0\"; exec sleep 1000");
    slow.push(pids);
    (crash.restart.factor, crash.hooks.event) = (1.0, vec![hook(HookAction::Command(slow))]);
    supervisor.install(&crash);
    let _ = supervisor.start_unit("crash");
    let record = supervisor.wait("crash", |record| record.machine.restarts > 5);
    assert_ne!(record.machine.word(), State::GaveUp);
    let hooks = std::fs::read_to_string(supervisor.file("pids")).expect("a hook");
    let hooks: Vec<u32> = hooks.lines().map(|pid| pid.parse().expect("a pid")).collect();
    assert_eq!(hooks.len(), 1, "one event after the other");
    assert!(supervisor.term());
    until(|| hooks.iter().all(|pid| !lives(*pid))).expect("no hook is left");
}

fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}
