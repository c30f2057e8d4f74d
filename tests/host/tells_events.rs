use std::time::Duration;

use daemonctl::events::{Event, Query, What};
use daemonctl::host::control::Ask;
use daemonctl::host::events::read;
use daemonctl::report::State;
use daemonctl::service::{
    Health, HealthAction, HealthCheck, Hook, HookAction, HookFailure, Probe, Reload, ReloadAction, RestartLimit,
};

use super::support::*;

fn events(supervisor: &Supervisor, unit: &str) -> Vec<Event> {
    read::all(&supervisor.layout, &|name| name == unit, &Query::default()).expect("a journal")
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.event.name()).collect()
}

fn hook(exec: Vec<String>, timeout: Duration) -> Hook {
    Hook { action: HookAction::Command(exec), timeout, on_failure: HookFailure::Ignore, secret: None }
}

#[test]
fn a_life_is_in_the_journal_from_start_to_giving_up_and_stop() {
    let mut supervisor = Supervisor::start();
    let mut dying = service("dying", sh("exit 3"));
    dying.restart.limit = Some(RestartLimit { count: 1, within: Duration::from_secs(60) });
    supervisor.install(&dying);
    supervisor.install(&service("other", child(&["sleep"])));
    supervisor.start_unit("dying").expect_err("it exits at once");
    supervisor.wait_state("dying", State::GaveUp);
    supervisor.start_unit("other").expect("started");
    let first = supervisor.main_pid("other");
    supervisor.kill();
    supervisor.start_again();
    supervisor.stop_unit("other").expect("stopped");

    until(|| events(&supervisor, "other").last().is_some_and(|event| event.event == What::Stopped)).expect("an end");
    let dying = events(&supervisor, "dying");
    let run = ["starting", "ready", "exited"];
    assert_eq!(names(&dying), [&run[..], &["backoff"], &run[..], &["gave-up"]].concat());
    let exited = &dying[2];
    assert_eq!((exited.code, exited.state), (Some(3), State::Stopping));
    assert!(exited.pid.is_some());
    assert_eq!((dying[3].delay, dying[3].reason.as_deref()), (Some(0.05), Some("exited with code 3")));
    assert!(dying[7].reason.as_ref().is_some_and(|reason| reason.contains("restarted 1 times")));
    let other = events(&supervisor, "other");
    assert_eq!(names(&other), ["starting", "ready", "adopted", "stopping", "exited", "stopped"]);
    assert_eq!(other[2].pid, Some(first));
}

#[test]
fn a_hook_hears_of_each_event_in_order_by_environment_and_on_its_input() {
    let supervisor = Supervisor::start();
    let told = supervisor.file("told");
    let mut web = service("web", child(&["sleep"]));
    let script = "echo \"$DAEMONCTL_EVENT $DAEMONCTL_UNIT $DAEMONCTL_STATE $(cat)\" >> \"$0\"";
    let mut exec = sh(script);
    exec.push(told.display().to_string());
    web.hooks.event = vec![hook(exec, Duration::from_secs(20))];
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    supervisor.stop_unit("web").expect("stopped");
    let lines = || std::fs::read_to_string(&told).unwrap_or_default();
    until(|| lines().lines().count() == 5).unwrap_or_else(|()| panic!("{}", lines()));
    let text = lines();
    let heads: Vec<_> = text.lines().map(|line| line.split(" {").next().expect("a line")).collect();
    assert_eq!(
        heads,
        [
            "starting web starting",
            "ready web running",
            "stopping web stopping",
            "exited web stopping",
            "stopped web stopped"
        ]
    );
    let (_, json) = text.lines().nth(3).and_then(|line| line.split_once(" {")).expect("JSON");
    let event: Event = serde_json::from_str(&format!("{{{json}")).expect("an event");
    assert_eq!((event.event, event.signal.as_deref(), event.unit.as_str()), (What::Exited, Some("TERM"), "web"));
    assert!(event.host.is_some());
    // They were in the journal first.
    assert!(events(&supervisor, "web").len() >= 5);
}

#[test]
fn a_hanging_hook_holds_up_nobody_and_hears_how_much_it_missed() {
    let mut supervisor = Supervisor::start();
    let (told, other, gate) = (supervisor.file("told"), supervisor.file("other"), supervisor.file("gate"));
    let mut web = service("web", sh("sleep 0.01; exit 1"));
    web.restart.delay = Duration::from_millis(1);
    web.restart.max_delay = Duration::from_millis(1);
    let mut slow = sh("while ! test -e \"$1\"; do sleep 0.05; done; echo \"$DAEMONCTL_MISSED\" >> \"$0\"");
    slow.extend([told.display().to_string(), gate.display().to_string()]);
    let mut quick = sh("echo $DAEMONCTL_EVENT >> \"$0\"");
    quick.push(other.display().to_string());
    web.hooks.event = vec![hook(slow, Duration::from_secs(60)), hook(quick, Duration::from_secs(60))];
    supervisor.install(&web);
    let _ = supervisor.start_unit("web");
    supervisor.wait("web", |record| record.machine.restarts > 40);
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    assert!(lines(&other).lines().count() > 10, "the other hook goes on");
    assert_eq!(lines(&told), "");
    std::fs::write(&gate, "").expect("write");
    until(|| lines(&told).lines().any(|line| line.parse::<u64>().is_ok_and(|missed| missed > 0)))
        .unwrap_or_else(|()| panic!("{}", lines(&told)));
    supervisor.stop_unit("web").expect("stopped");
    assert!(supervisor.term(), "it ends, whatever its hooks do");
}

#[test]
fn health_and_reloads_are_told() {
    let supervisor = Supervisor::start();
    let sick = supervisor.file("sick");
    let mut web = service("web", child(&["sleep"]));
    let mut probe = sh("! test -e \"$0\"");
    probe.push(sick.display().to_string());
    web.health = Some(Box::new(Health {
        check: HealthCheck::Probe(Probe::Exec(probe)),
        interval: Duration::from_millis(30),
        timeout: Duration::from_secs(10),
        failures: 2,
        successes: 1,
        start_period: Duration::ZERO,
        action: HealthAction::Event,
    }));
    let mut check = sh("test -e \"$0\"");
    check.push(sick.display().to_string());
    web.reload = Some(Reload { action: ReloadAction::Command(sh("true")), check: Some(check) });
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    supervisor.verb(Ask::Reload, &["web"]).remove("web").expect("an answer").expect_err("its check fails");
    std::fs::write(&sick, "").expect("write");
    until(|| names(&events(&supervisor, "web")).contains(&"unhealthy")).expect("unhealthy");
    supervisor.verb(Ask::Reload, &["web"]).remove("web").expect("an answer").expect("reloaded");
    std::fs::remove_file(&sick).expect("remove");
    until(|| names(&events(&supervisor, "web")).contains(&"healthy")).expect("healthy");
    let events = events(&supervisor, "web");
    assert_eq!(names(&events), ["starting", "ready", "reload-refused", "unhealthy", "reloaded", "healthy"]);
    assert!(events[2].reason.as_ref().is_some_and(|reason| reason.contains("its check failed")), "{events:?}");
    supervisor.stop_unit("web").expect("stopped");
}

#[test]
fn output_that_cannot_be_written_is_an_event() {
    let supervisor = Supervisor::start();
    // A file where the folder of its logs should be.
    std::fs::create_dir_all(&supervisor.layout.logs).expect("a folder");
    std::fs::write(supervisor.layout.logs_of("web"), "").expect("write");
    supervisor.install(&service("web", sh("while :; do echo line; sleep 0.05; done")));
    supervisor.start_unit("web").expect("started");
    until(|| names(&events(&supervisor, "web")).contains(&"log-trouble")).expect("trouble");
    std::fs::remove_file(supervisor.layout.logs_of("web")).expect("remove");
    until(|| names(&events(&supervisor, "web")).contains(&"log-recovered")).expect("recovered");
    let events = events(&supervisor, "web");
    assert_eq!(names(&events), ["starting", "ready", "log-trouble", "log-recovered"]);
    assert!(events[3].reason.as_ref().is_some_and(|reason| reason.contains("were lost")), "{events:?}");
    supervisor.stop_unit("web").expect("stopped");
}
