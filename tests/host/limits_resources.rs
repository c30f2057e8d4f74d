//! Limits of memory, processor time and tasks hold for everything that a service starts, by a control group.
#![cfg(target_os = "linux")]

use std::fs;

use daemonctl::exit::Exit;
use daemonctl::host::sys;
use daemonctl::service::Limits;

use super::support::*;

/// The folders of the groups that a process is in and that are its service's.
fn groups(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("read");
    text.lines().filter(|line| line.contains("/daemonctl-") && line.ends_with("-web")).map(str::to_owned).collect()
}

#[test]
fn a_limited_service_has_a_group_of_its_own_or_does_not_start() {
    let supervisor = Supervisor::start();
    let fork = "( sleep 1000 & ); i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i + 1)); done; wait";
    let mut web = service("web", sh(fork));
    web.limits = Limits { memory: Some(256 << 20), cpu: Some(0.5), tasks: Some(12), ..Limits::default() };
    supervisor.install(&web);
    if let Err(error) = sys::limits_possible(&web.limits) {
        assert_eq!(error.exit(), Exit::Manifest);
        let trouble = supervisor.start_unit("web").expect_err("it must not run without its limits");
        assert!(trouble.message.contains("limits."), "{}", trouble.message);
        supervisor.stop_unit("web").expect("stopped");
        return;
    }
    web.restart.policy = daemonctl::service::RestartPolicy::Never;
    supervisor.install(&web);
    // A shell that can't fork any more ends with a word: how its start comes out is its own business.
    let _ = supervisor.start_unit("web");
    until(|| supervisor.log("web").contains("ork")).expect("the 12 tasks are not exceeded");
    let unlimited = service("free", sh("exec sleep 1000"));
    supervisor.install(&unlimited);
    supervisor.start_unit("free").expect("started");
    assert!(groups(supervisor.main_pid("free")).is_empty());

    let mut calm = web.clone();
    calm.exec = sh("( setsid sleep 1000 & ); exec sleep 1000");
    supervisor.stop_unit("web").expect("stopped");
    supervisor.install(&calm);
    supervisor.ask(daemonctl::host::control::Ask::Load);
    supervisor.start_unit("web").expect("started");
    let main = supervisor.main_pid("web");
    let groups = groups(main);
    assert!(!groups.is_empty(), "{}", fs::read_to_string(format!("/proc/{main}/cgroup")).expect("read"));
    let found = find_folder(&groups[0]);
    let members = fs::read_to_string(found.join("cgroup.procs")).expect("read");
    assert!(members.lines().any(|pid| pid == main.to_string()), "{members}");
    assert_eq!(supervisor.stop_unit("web").map_err(|trouble| trouble.message), Ok(daemonctl::report::Effect::Stopped));
    for pid in members.lines() {
        assert!(!lives(pid.parse().expect("a pid")), "{pid} outlived its service");
    }
    assert!(!found.exists(), "`{}` is left behind", found.display());
}

/// The folder of a line such as `8:pids:/daemonctl-0123-web`, by looking for its last name.
fn find_folder(line: &str) -> std::path::PathBuf {
    let name = line.rsplit('/').next().expect("a name");
    let mut folders = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy() == name {
                return entry.path();
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    panic!("no folder `{name}`")
}
