//! The embedded backend's manager, over a real supervisor.

use std::ops::ControlFlow;
use std::time::Duration;

use daemonctl::backend::embedded::Embedded;
use daemonctl::backend::{Backend, BackendKind, Deadline, Detail, Hosting, Manager, Silent, Target};
use daemonctl::layout::Scope;
use daemonctl::logs::{LogLine, LogQuery, Sink};
use daemonctl::report::{Effect, State, Wanted};
use daemonctl::service::{RestartPolicy, Service, Start};

use super::support::*;

fn target(supervisor: &Supervisor) -> Target {
    let mut target = Target::elsewhere(BackendKind::Embedded, Scope::User);
    target.layout = supervisor.layout.clone();
    target.local = true;
    target
}

/// Writes what the backend renders.
fn install(supervisor: &Supervisor, unit: &Service) -> Box<dyn Manager> {
    let target = target(supervisor);
    for artifact in Embedded.render(unit, Hosting::Hosted, &target).expect("rendered") {
        let daemonctl::backend::Body::File { content, .. } = artifact.body else { panic!("a file") };
        std::fs::create_dir_all(artifact.path.parent().expect("a folder")).expect("a folder");
        std::fs::write(artifact.path, content).expect("write");
    }
    let mut manager = Embedded.connect(&target).expect("connected");
    manager.reload(&[unit.id()]).expect("loaded");
    manager
}

struct Kept(Vec<LogLine>);

impl Sink for Kept {
    fn line(&mut self, line: LogLine) -> ControlFlow<()> {
        self.0.push(line);
        ControlFlow::Continue(())
    }
    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

fn all(manager: &mut dyn Manager, units: &[Service], query: &LogQuery) -> Vec<String> {
    let mut kept = Kept(Vec::new());
    manager.logs(units, query, &mut kept).expect("logs");
    kept.0.into_iter().map(|line| line.message).collect()
}

#[test]
fn from_install_to_forgotten() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("echo one; echo two; exec sleep 1000"));
    web.start = Start::Boot;
    let mut manager = install(&supervisor, &web);
    let units = [web.clone()];
    let seen = manager.observe(&units).expect("observed");
    assert_eq!((seen[0].loaded, seen[0].state, seen[0].enabled), (true, State::Stopped, true));

    let forever = Deadline::after(None);
    let result = manager.start(&units, forever, &mut Silent).remove(0).1;
    assert_eq!(result.expect("started"), Effect::Started);
    let status = manager.status(&units, Detail::Full).expect("status").remove(0);
    assert_eq!((status.state, status.wanted, status.enabled), (State::Running, Some(Wanted::Up), Some(true)));
    assert_eq!((status.pid, status.restarts), (Some(supervisor.main_pid("web")), Some(0)));
    assert!(status.uptime.is_some_and(|time| time < 60.0), "{status:?}");
    assert_eq!(all(&mut *manager, &units, &LogQuery::default()), ["one", "two"]);
    let last = LogQuery { lines: Some(1), follow: true, ..LogQuery::default() };
    assert_eq!(all(&mut *manager, &units, &last), ["two"]);

    manager.disable(&units).expect("disabled");
    assert!(!manager.observe(&units).expect("observed")[0].enabled);
    assert_eq!(manager.restart(&units, forever, &mut Silent).remove(0).1.expect("restarted"), Effect::Restarted);
    assert_eq!(manager.stop(&units, forever, &mut Silent).remove(0).1.expect("stopped"), Effect::Stopped);
    assert_eq!(manager.stop(&units, forever, &mut Silent).remove(0).1.expect("stopped"), Effect::Unchanged);
    std::fs::remove_file(supervisor.layout.spec("web")).expect("remove");
    manager.forget(&units).expect("forgotten");
    assert!(supervisor.state().expect("a state").units.is_empty());
    let status = manager.status(&units, Detail::Full).expect("status").remove(0);
    assert_eq!(status.state, State::NotInstalled);
}

#[test]
fn a_failed_start_says_why_with_the_last_lines() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("echo cannot open the thing; exit 4"));
    web.restart.policy = RestartPolicy::Never;
    let mut manager = install(&supervisor, &web);
    let error = manager.start(&[web], Deadline::after(None), &mut Silent).remove(0).1.expect_err("it failed");
    assert_eq!(error.to_string(), "`web` did not start: it exited with code 4");
    assert_eq!(error.details(), ["cannot open the thing"]);
}

#[test]
fn a_changed_spec_counts_from_the_next_start() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("echo old; exec sleep 1000"));
    let mut manager = install(&supervisor, &web);
    let forever = Deadline::after(None);
    manager.start(std::slice::from_ref(&web), forever, &mut Silent).remove(0).1.expect("started");
    let main = supervisor.main_pid("web");
    web.exec = sh("echo new; exec sleep 1000");
    let mut manager = install(&supervisor, &web);
    assert_eq!(supervisor.main_pid("web"), main, "loading restarts nothing");
    manager.restart(std::slice::from_ref(&web), forever, &mut Silent).remove(0).1.expect("restarted");
    assert_eq!(all(&mut *manager, &[web], &LogQuery::default()), ["old", "new"]);
}

#[test]
fn a_deadline_is_kept_and_says_so() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("exec sleep 1000"));
    web.ready = Some(daemonctl::service::Ready {
        when: daemonctl::service::ReadyWhen::Log("never".into()),
        timeout: Duration::from_secs(600),
    });
    let mut manager = install(&supervisor, &web);
    let soon = Deadline::after(Some(Duration::from_millis(300)));
    let error = manager.start(&[web], soon, &mut Silent).remove(0).1.expect_err("too slow");
    assert_eq!(error.exit(), daemonctl::Exit::TimedOut);
}

#[test]
fn without_a_supervisor_status_tells_what_lives() {
    let mut supervisor = Supervisor::start();
    let web = service("web", sh("exec sleep 1000"));
    let mut manager = install(&supervisor, &web);
    manager.start(std::slice::from_ref(&web), Deadline::after(None), &mut Silent).remove(0).1.expect("started");
    let main = supervisor.main_pid("web");
    supervisor.kill();
    let status = manager.status(std::slice::from_ref(&web), Detail::Full).expect("status").remove(0);
    assert_eq!((status.state, status.pid), (State::Running, Some(main)));
    assert!(status.notes.iter().any(|note| note.contains("no supervisor")), "{:?}", status.notes);
    signal(main, libc::SIGKILL);
    until(|| !lives(main)).expect("dead");
    let status = manager.status(&[web], Detail::Full).expect("status").remove(0);
    assert_eq!((status.state, status.pid), (State::Failed, None));
}
