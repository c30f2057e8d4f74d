use daemonctl::host::control::Ask;
use daemonctl::report::{Effect, State};
use daemonctl::service::{Dependency, Kind, Ready, ReadyWhen, RestartPolicy};

use super::support::*;

#[test]
fn who_is_required_is_started_first_and_stopped_last() {
    let supervisor = Supervisor::start();
    let order = supervisor.file("order").display().to_string();
    let script = |name: &str| {
        sh(&format!(
            "echo {name} up >> {order}; trap 'echo {name} down >> {order}; exit 0' TERM; echo ready; \
             while :; do sleep 0.05; done"
        ))
    };
    let mut db = service("db", script("db"));
    db.ready = Some(Ready { when: ReadyWhen::Log("ready".into()), timeout: std::time::Duration::from_secs(10) });
    let mut web = service("web", script("web"));
    web.ready.clone_from(&db.ready);
    web.requires = vec![Dependency::Service("db".into())];
    supervisor.install(&db);
    supervisor.install(&web);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    assert_eq!(supervisor.record("db").expect("known").machine.word(), State::Running);
    let results = supervisor.verb(Ask::Stop, &["db", "web"]);
    assert_eq!(results.into_values().collect::<Vec<_>>(), [Ok(Effect::Stopped), Ok(Effect::Stopped)]);
    let order = std::fs::read_to_string(order).expect("read");
    assert_eq!(order, "db up\nweb up\nweb down\ndb down\n");
}

#[test]
fn a_failure_names_what_it_held_up() {
    let supervisor = Supervisor::start();
    let mut db = service("db", sh("exit 7"));
    db.restart.policy = RestartPolicy::Never;
    db.kind = Kind::Oneshot;
    let mut web = service("web", child(&["sleep"]));
    web.requires = vec![Dependency::Service("db".into())];
    supervisor.install(&db);
    supervisor.install(&web);
    let results = supervisor.verb(Ask::Start, &["db", "web"]);
    let message = |unit: &str| results[unit].as_ref().expect_err("it failed").message.clone();
    assert_eq!(message("db"), "`db` did not start: it exited with code 7");
    assert_eq!(message("web"), "`web` did not start: it requires `db`, which exited with code 7");
}

#[test]
fn restart_stops_and_starts() {
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    let result = supervisor.verb(Ask::Restart, &["web"]).remove("web");
    assert_eq!(result, Some(Ok(Effect::Restarted)));
    assert_ne!(supervisor.main_pid("web"), main);
    assert!(!lives(main));
}
