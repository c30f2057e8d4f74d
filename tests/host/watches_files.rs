//! Changed files bring about a reload, a restart or a command; a change that is no good leaves everything as it was.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::Duration;

use daemonctl::report::State;
use daemonctl::service::{Reload, ReloadAction, Service, Signal, Watch, WatchAction};

use super::support::*;

fn watched(exec: Vec<String>, path: &std::path::Path, action: WatchAction) -> Service {
    let mut web = service("web", exec);
    web.watch = Some(Watch { paths: vec![path.display().to_string()], action, debounce: Duration::from_millis(30) });
    web
}

/// As editors and packages write: beside it, and then renamed over it.
fn replace(path: &std::path::Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("write");
    fs::rename(new, path).expect("rename");
}

fn restarted(supervisor: &Supervisor, before: u32) -> u32 {
    let after = supervisor.wait("web", |record| {
        record.machine.word() == State::Running && record.main.is_some_and(|main| main.pid != before.cast_signed())
    });
    u32::try_from(after.main.expect("a main process").pid).expect("a pid")
}

#[test]
fn a_file_that_does_not_exist_yet_and_one_that_is_replaced() {
    let supervisor = Supervisor::start();
    let folder = supervisor.file("conf");
    supervisor.install(&watched(sh("exec sleep 1000"), &folder.join("*.toml"), WatchAction::Restart));
    supervisor.start_unit("web").expect("started");
    let first = supervisor.main_pid("web");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("a.toml"), "1").expect("write");
    let second = restarted(&supervisor, first);
    replace(&folder.join("a.toml"), "2");
    let third = restarted(&supervisor, second);
    assert!(!lives(second));
    fs::write(folder.join("unrelated"), "").expect("write");
    fs::remove_file(folder.join("a.toml")).expect("remove");
    restarted(&supervisor, third);
}

#[test]
fn many_changes_in_a_row_are_one() {
    let supervisor = Supervisor::start();
    let (file, runs) = (supervisor.file("a.toml"), supervisor.file("runs"));
    let mut web = watched(
        sh("exec sleep 1000"),
        &file,
        WatchAction::Command(sh(&format!("echo run $MAINPID >> {}", runs.display()))),
    );
    web.watch.as_mut().expect("a watch").debounce = Duration::from_millis(400);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    for text in ["1", "2", "3", "4"] {
        fs::write(&file, text).expect("write");
    }
    until(|| fs::read_to_string(&runs).is_ok_and(|text| text.ends_with('\n'))).expect("the command has run");
    assert_eq!(fs::read_to_string(&runs).expect("read"), format!("run {main}\n"));
    fs::write(&file, "5").expect("write");
    until(|| fs::read_to_string(&runs).is_ok_and(|text| text.lines().count() == 2)).expect("it runs again");
}

#[test]
fn a_change_that_its_check_refuses_is_told_and_not_taken_over() {
    let supervisor = Supervisor::start();
    let (file, reloads) = (supervisor.file("a.toml"), supervisor.file("reloads"));
    fs::write(&file, "good").expect("write");
    let mut web = watched(
        sh(&format!("trap 'echo hup >> {}' HUP; while :; do sleep 0.05; done", reloads.display())),
        &file,
        WatchAction::Reload,
    );
    web.reload = Some(Reload {
        action: ReloadAction::Signal(Signal::Hup),
        check: Some(sh(&format!("grep -q good {}", file.display()))),
    });
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    replace(&file, "bad");
    let record = supervisor.wait("web", |record| !record.files.is_empty());
    assert!(record.files[0].contains("a.toml") && record.files[0].contains("check failed"), "{:?}", record.files);
    assert!(!reloads.exists(), "the service is not told of it");
    replace(&file, "good again");
    until(|| reloads.exists()).expect("a reload");
    supervisor.wait("web", |record| record.files.is_empty());
    assert_eq!(supervisor.main_pid("web"), main);
}

#[test]
fn a_check_comes_before_a_restart_too_and_a_stopped_service_stays_down() {
    let supervisor = Supervisor::start();
    let file = supervisor.file("a.toml");
    let mut web = watched(sh("exec sleep 1000"), &file, WatchAction::Restart);
    web.reload = Some(Reload {
        action: ReloadAction::Signal(Signal::Hup),
        check: Some(sh(&format!("grep -q good {}", file.display()))),
    });
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let first = supervisor.main_pid("web");
    fs::write(&file, "bad").expect("write");
    supervisor.wait("web", |record| !record.files.is_empty());
    assert!(lives(first));
    fs::write(&file, "good").expect("write");
    restarted(&supervisor, first);
    supervisor.wait("web", |record| record.files.is_empty());
    supervisor.stop_unit("web").expect("stopped");
    fs::write(&file, "good, too").expect("write");
    // Nothing is to come of it, for much longer than the debounce time.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(supervisor.record("web").map(|record| record.machine.word()), Some(State::Stopped));
}

#[test]
fn the_next_supervisor_watches_on() {
    let mut supervisor = Supervisor::start();
    let file = supervisor.file("a.toml");
    supervisor.install(&watched(sh("exec sleep 1000"), &file, WatchAction::Restart));
    supervisor.start_unit("web").expect("started");
    let first = supervisor.main_pid("web");
    supervisor.kill();
    supervisor.start_again();
    assert_eq!(supervisor.main_pid("web"), first);
    fs::write(&file, "1").expect("write");
    restarted(&supervisor, first);
}
