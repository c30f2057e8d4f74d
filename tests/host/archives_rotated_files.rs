//! A command takes rotated files over: each once it is whole, oldest first, and none is lost when it fails or dies.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use daemonctl::events::{Query, What};
use daemonctl::host::events;
use daemonctl::host::logs::read;
use daemonctl::report::State;
use daemonctl::service::{Archive, Compress, Service};

use super::support::*;

/// Copies its input to `taken/`, under the name of its last argument, and says in `nice` how nice it is.
fn archiving(supervisor: &Supervisor, before: &str) -> Service {
    let taken = supervisor.file("taken");
    std::fs::create_dir_all(&taken).expect("a folder");
    let mut web = service("web", child(&["lines", "100000000", "--every", "1"]));
    web.logs.max_size = Some(4096);
    let mut command =
        sh(&format!("{before}\nnice > \"$0/nice\"; cat > \"$0/part.$$\" && mv \"$0/part.$$\" \"$0/${{1##*/}}\""));
    command.push(taken.display().to_string());
    web.logs.archive = Some(Archive::Command(command));
    web
}

fn current(supervisor: &Supervisor) -> PathBuf {
    supervisor.layout.logs_of("web").join("current.log")
}

fn taken(supervisor: &Supervisor) -> Vec<PathBuf> {
    read::generations(&supervisor.file("taken/current.log"), None)
}

/// Everything that was written, each line once: what was taken, what waits, what is written to.
fn all_there(supervisor: &Supervisor) -> usize {
    let whole = |path: &Path| String::from_utf8(read::whole(path).expect("a generation")).expect("text");
    let mut text: String = taken(supervisor).iter().map(|path| whole(path)).collect();
    let waiting = read::generations(&current(supervisor), None);
    text.extend(waiting.iter().map(|path| whole(path)));
    text += &std::fs::read_to_string(current(supervisor)).unwrap_or_default();
    for (number, line) in text.lines().enumerate() {
        assert_eq!(line, format!("line {}", number + 1));
    }
    waiting.len()
}

fn said(supervisor: &Supervisor, what: What) -> Vec<String> {
    let all = events::read::all(&supervisor.layout, &|name| name == "web", &Query::default()).expect("a journal");
    all.into_iter().filter(|event| event.event == what).map(|event| event.reason.unwrap_or_default()).collect()
}

#[test]
fn each_goes_to_the_command_and_is_gone_here() {
    for (compress, ending) in [(Compress::None, "log"), (Compress::Gzip, "gz")] {
        let supervisor = Supervisor::start();
        let mut web = archiving(&supervisor, "");
        web.logs.compress = compress;
        supervisor.install(&web);
        supervisor.start_unit("web").expect("started");
        until(|| taken(&supervisor).len() >= 5).expect("they are taken");
        supervisor.stop_unit("web").expect("stopped");
        until(|| read::generations(&current(&supervisor), None).is_empty()).expect("all are taken");
        assert_eq!(all_there(&supervisor), 0);
        assert!(taken(&supervisor).iter().all(|path| path.extension().is_some_and(|found| found == ending)));
        let nice = std::fs::read_to_string(supervisor.file("taken/nice")).expect("how nice");
        assert!(nice.trim().parse::<i32>().expect("a number") > 0, "it is to run after others");
    }
}

#[test]
fn one_that_fails_hurts_nobody_is_told_once_and_tried_again() {
    let supervisor = Supervisor::start();
    let flag = supervisor.file("flag");
    let web = archiving(&supervisor, &format!("test -e '{}' || exit 7", flag.display()));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    until(|| !said(&supervisor, What::LogTrouble).is_empty()).expect("it is told");
    let told = said(&supervisor, What::LogTrouble);
    assert!(told[0].contains("is not archived") && told[0].contains("exited with code 7"), "{told:?}");
    until(|| read::generations(&current(&supervisor), None).len() > 3).expect("they wait");
    std::fs::write(&flag, "").expect("write");
    // The pauses between two tries grow.
    let over = || !said(&supervisor, What::LogRecovered).is_empty();
    until_within(std::time::Duration::from_secs(120), over).expect("that is over");
    let record = supervisor.wait_state("web", State::Running);
    assert_eq!((record.machine.restarts, record.logs[0].dropped), (0, 0));
    supervisor.stop_unit("web").expect("stopped");
    until(|| read::generations(&current(&supervisor), None).is_empty()).expect("all are taken");
    all_there(&supervisor);
    assert_eq!(said(&supervisor, What::LogTrouble).len(), 1);
}

#[test]
fn what_a_killed_supervisor_left_is_taken_by_the_next() {
    let mut supervisor = Supervisor::start();
    let (flag, begun) = (supervisor.file("flag"), supervisor.file("begun"));
    let hang = format!("touch '{}'; until test -e '{}'; do sleep 0.05; done", begun.display(), flag.display());
    supervisor.install(&archiving(&supervisor, &hang));
    supervisor.start_unit("web").expect("started");
    until(|| begun.exists()).expect("the command runs");
    supervisor.kill();
    std::fs::remove_file(&begun).expect("remove");
    supervisor.start_again();
    until(|| begun.exists()).expect("it runs again for that file");
    std::fs::write(&flag, "").expect("write");
    until(|| taken(&supervisor).len() >= 3).expect("they are taken");
    supervisor.stop_unit("web").expect("stopped");
    until(|| read::generations(&current(&supervisor), None).is_empty()).expect("all are taken");
    all_there(&supervisor);
}

#[test]
fn a_link_in_place_of_a_rotated_file_is_not_followed() {
    let supervisor = Supervisor::start();
    let web = archiving(&supervisor, "");
    let secret = supervisor.file("secret");
    std::fs::write(&secret, "secret\n").expect("write");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    let folder = supervisor.layout.logs_of("web");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::os::unix::fs::symlink(&secret, folder.join("current.20200101T000000.000000Z.log")).expect("a link");
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    until(|| !said(&supervisor, What::LogTrouble).is_empty()).expect("it is told");
    assert!(taken(&supervisor).is_empty() && secret.exists());
}
