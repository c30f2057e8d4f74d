//! A service and its supervisor are killed together: what was in the pipe, and what was said of readiness, is there for the
//! next supervisor, as a keeper of its own held it.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use daemonctl::report::State;
use daemonctl::service::{Ready, ReadyWhen, RestartPolicy};

use super::support::*;

const LINES: u64 = 2000;

/// Writes its lines when it is told to, and says when it has.
fn writer(supervisor: &Supervisor, name: &str) -> daemonctl::service::Service {
    let script = "until [ -e \"$0.go\" ]; do sleep 0.01; done; seq 1 2000; : > \"$0.done\"; exec sleep 1000";
    let mut exec = sh(script);
    exec.push(supervisor.file(name).display().to_string());
    let mut one = service(name, exec);
    one.restart.policy = RestartPolicy::Never;
    one
}

fn numbers(log: &str) -> Vec<u64> {
    log.lines().map(|line| line.parse().unwrap_or(0)).collect()
}

fn keepers(supervisor: &Supervisor) -> Vec<u32> {
    let path = supervisor.layout.runtime.join("keeper.sock").display().to_string();
    // The keeper is the only process that listens there; what listens is found by the socket's number.
    let Ok(table) = std::fs::read_to_string("/proc/net/unix") else { return Vec::new() };
    let listening = table.lines().filter(|line| line.split(' ').next_back() == Some(&path));
    let numbers: Vec<String> =
        listening.filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(6)?))).collect();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(files) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let mut open = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        if open.any(|target| numbers.iter().any(|number| target == Path::new(number))) {
            found.push(pid);
        }
    }
    found
}

fn the_keeper(supervisor: &Supervisor) -> u32 {
    let mut found = Vec::new();
    until(|| {
        found = keepers(supervisor);
        found.len() == 1
    })
    .unwrap_or_else(|()| panic!("one keeper: {:?}", keepers(supervisor)));
    found.first().copied().expect("just seen")
}

/// Whether each of its threads has heard of it.
fn is_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten();
    let state = |stat: String| stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    let stat = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("stat")).ok();
    threads.filter_map(stat).all(|stat| state(stat) == Some('T'))
}

/// The supervisor is stopped, so that it reads nothing any more; then the service writes; then both are killed.
fn kill_both(supervisor: &mut Supervisor, name: &str) {
    let main = supervisor.main_pid(name);
    signal(supervisor.pid(), libc::SIGSTOP);
    until(|| is_stopped(supervisor.pid())).expect("it reads nothing any more");
    std::fs::write(supervisor.file(&format!("{name}.go")), "").expect("a file");
    let done = supervisor.file(&format!("{name}.done"));
    until(|| done.exists()).expect("all of it is written");
    signal(main, libc::SIGKILL);
    until(|| !lives(main)).expect("dead");
    supervisor.kill();
}

#[test]
fn every_line_of_a_service_that_was_killed_with_its_supervisor_is_in_the_log() {
    let mut supervisor = Supervisor::start();
    let keeper = the_keeper(&supervisor);
    for round in 0..8 {
        let name = format!("writer{round}");
        supervisor.install(&writer(&supervisor, &name));
        supervisor.ask(daemonctl::host::control::Ask::Load);
        supervisor.start_unit(&name).expect("started");
        kill_both(&mut supervisor, &name);
        supervisor.start_again();
        supervisor.wait(&name, |record| record.machine.current.at_rest());
        let wanted: Vec<u64> = (1..=LINES).collect();
        until(|| numbers(&supervisor.log(&name)) == wanted)
            .unwrap_or_else(|()| panic!("{name}: {} lines", supervisor.log(&name).lines().count()));
    }
    assert_eq!(the_keeper(&supervisor), keeper, "each supervisor has found it");
}

#[test]
fn readiness_that_is_told_to_nobody_makes_the_service_ready_and_heartbeats_hold_up_nobody() {
    let mut supervisor = Supervisor::start();
    let go = supervisor.file("go");
    // More heartbeats than a queue takes, before and after.
    let notify = child(&["--notify", "READY=1\nSTATUS=well", "exit", "0"]);
    let quoted: Vec<String> = notify.iter().map(|word| format!("'{word}'")).collect();
    let beat: Vec<String> =
        child(&["--notify", "WATCHDOG=1", "exit", "0"]).iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "until [ -e '{0}' ]; do sleep 0.01; done; i=0; while [ $i -lt 30 ]; do i=$((i+1)); {2}; done; {1}; : > '{0}.done'; exec sleep 1000",
        go.display(),
        quoted.join(" "),
        beat.join(" "),
    );
    let mut web = service("web", sh(&script));
    web.ready = Some(Ready { when: ReadyWhen::Notify, timeout: Duration::from_secs(300) });
    supervisor.install(&web);
    std::thread::scope(|scope| {
        let layout = supervisor.layout.clone();
        scope.spawn(move || {
            // Its answer never comes.
            let client = daemonctl::host::client::connect(&layout).expect("connect").expect("a supervisor");
            let mut client = client;
            let units = daemonctl::host::control::Units { units: vec!["web".into()] };
            client.send(daemonctl::host::control::Ask::Start(units)).expect("sent");
            let _ = client.answers(|| None, |_| Ok(true));
        });
        let main = supervisor.main_pid("web");
        supervisor.kill();
        std::fs::write(&go, "").expect("a file");
        let done = supervisor.file("go.done");
        until(|| done.exists()).expect("nobody waits for a reader");
        supervisor.start_again();
        let record = supervisor.wait_state("web", State::Running);
        assert_eq!(
            (record.main.map(|main| main.pid.unsigned_abs()), record.says.as_deref()),
            (Some(main), Some("well"))
        );
    });
    supervisor.stop_unit("web").expect("stopped");
}

#[test]
fn a_keeper_that_was_killed_is_replaced_and_nothing_is_lost() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&writer(&supervisor, "writer"));
    supervisor.start_unit("writer").expect("started");
    for _ in 0..2 {
        let first = the_keeper(&supervisor);
        signal(first, libc::SIGKILL);
        until(|| keepers(&supervisor).iter().any(|keeper| *keeper != first)).expect("another keeper");
    }
    // The supervisor gave it everything before it did anything else.
    supervisor.ask(daemonctl::host::control::Ask::Hello);
    kill_both(&mut supervisor, "writer");
    supervisor.start_again();
    until(|| numbers(&supervisor.log("writer")) == (1..=LINES).collect::<Vec<_>>()).expect("every line");
}

#[test]
fn it_ends_with_an_orderly_shutdown() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let keeper = the_keeper(&supervisor);
    assert!(supervisor.term());
    until(|| !lives(keeper)).expect("its end");
    assert!(!supervisor.layout.runtime.join("keeper.sock").exists());
}

#[test]
fn without_a_supervisor_it_ends_with_the_last_service_but_not_while_something_is_unread() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("quiet", child(&["sleep"])));
    supervisor.install(&writer(&supervisor, "writer"));
    supervisor.start_unit("quiet").expect("started");
    supervisor.start_unit("writer").expect("started");
    let (keeper, quiet) = (the_keeper(&supervisor), supervisor.main_pid("quiet"));
    kill_both(&mut supervisor, "writer");
    signal(quiet, libc::SIGKILL);
    until(|| !lives(quiet)).expect("dead");
    supervisor.start_again();
    until(|| numbers(&supervisor.log("writer")).len() as u64 == LINES).expect("every line");
    assert_eq!(the_keeper(&supervisor), keeper, "it waited for who would read them");
    let quiet = supervisor.main_pid("quiet");
    supervisor.kill();
    assert!(lives(keeper), "a service lives");
    signal(quiet, libc::SIGKILL);
    until(|| !lives(keeper)).expect("its end");
}

#[test]
fn without_a_supervisor_it_ends_with_the_runtime_folder() {
    let mut supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let (keeper, main) = (the_keeper(&supervisor), supervisor.main_pid("web"));
    supervisor.kill();
    assert!(lives(keeper), "a service lives");
    std::fs::remove_dir_all(&supervisor.layout.runtime).expect("removed");
    until(|| !lives(keeper)).expect("its end");
    signal(main, libc::SIGKILL);
}

#[test]
fn it_has_nothing_open_but_what_it_keeps() {
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let keeper = the_keeper(&supervisor);
    let open = || -> Vec<String> {
        let files = std::fs::read_dir(format!("/proc/{keeper}/fd")).expect("its files");
        let mut open: Vec<String> = files
            .flatten()
            .filter_map(|file| Some(std::fs::read_link(file.path()).ok()?.display().to_string()))
            .collect();
        open.sort();
        open
    };
    let pipe = supervisor.layout.runtime.join("pipes/web.out").display().to_string();
    until(|| open().contains(&pipe)).expect("it has the pipe");
    let open = open();
    let others: Vec<&String> =
        open.iter().filter(|name| **name != pipe && **name != "/dev/null" && !name.starts_with("socket:")).collect();
    assert!(others.is_empty() && open.len() == 6, "{open:?}");
    // For reading alone: it is nobody's writing end.
    let info = std::fs::read_dir(format!("/proc/{keeper}/fd")).expect("its files").flatten().find_map(|file| {
        let target = std::fs::read_link(file.path()).ok()?;
        let number = file.file_name().to_str()?.to_owned();
        (target == Path::new(&pipe)).then(|| std::fs::read_to_string(format!("/proc/{keeper}/fdinfo/{number}")).ok())?
    });
    let flags =
        info.expect("of the pipe").lines().find_map(|line| Some(line.strip_prefix("flags:")?.trim().to_owned()));
    assert!(flags.is_some_and(|flags| flags.ends_with(['0', '4'])), "O_RDONLY");
    supervisor.stop_unit("web").expect("stopped");
}

#[test]
fn a_stranger_is_refused() {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let keeper = the_keeper(&supervisor);
    let path = supervisor.layout.runtime.join("keeper.sock");
    assert_eq!(std::fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o600);
    if !nix::unistd::geteuid().is_root() {
        // Only root can be somebody else.
        return;
    }
    // Even if the way were open.
    let mut folder = path.as_path();
    while let Some(above) = folder.parent().filter(|above| above.starts_with(supervisor.folder.path())) {
        std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o711)).expect("a mode");
        folder = above;
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    let refused = std::thread::spawn(move || {
        // This thread alone becomes somebody else: the system call without the C library's care for the others.
        // SAFETY: three numbers.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
        let mut link = UnixStream::connect(&path).expect("a way in");
        // `END`, in its words.
        let _ = link.write_all(&5_u128.to_le_bytes());
        let mut answer = Vec::new();
        let _ = link.read_to_end(&mut answer);
        answer.is_empty()
    });
    assert!(refused.join().expect("no panic"));
    assert_eq!(the_keeper(&supervisor), keeper);
    assert!(lives(keeper));
    supervisor.stop_unit("web").expect("stopped");
}
