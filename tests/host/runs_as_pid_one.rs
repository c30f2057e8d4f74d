//! The supervisor as PID 1 of a container (a PID namespace will do).
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use daemonctl::layout::{Layout, Scope};
use daemonctl::service::Dependency;

use super::support::*;

/// The children of a process, and whether each is a zombie.
fn children(parent: u32) -> Vec<(u32, bool)> {
    let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .map(|pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            (pid, stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
        })
        .collect()
}

#[test]
fn it_reaps_orphans_and_stops_in_order_and_exits_with_zero() {
    let folder = tempfile::Builder::new().prefix("dctl").tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let layout = Layout {
        scope: Scope::User,
        root: None,
        state: at("state/daemonctl"),
        runtime: at("run/daemonctl"),
        logs: at("state/daemonctl/logs"),
        config: at("config/daemonctl"),
        binaries: at("state/daemonctl/bin"),
    };
    let order = at("order").display().to_string();
    let script = "trap 'echo $0 >> \"$1\"; exit 0' TERM\n\
        i=0; while [ $i -lt 20 ]; do (setsid sh -c 'exec sleep 0.05' &); i=$((i+1)); done\n\
        echo up-$0 >> \"$1\"; while :; do sleep 1000 & wait; done";
    for (name, after) in [("a", None), ("b", Some("a")), ("c", Some("b"))] {
        let mut web = service(name, sh(script));
        web.exec.extend([name.to_owned(), order.clone()]);
        web.after = after.into_iter().map(|name| Dependency::Service(name.to_owned())).collect();
        std::fs::create_dir_all(layout.specs()).expect("a folder");
        std::fs::write(layout.spec(name), serde_json::to_vec(&web).expect("JSON")).expect("write");
        std::fs::create_dir_all(layout.state.join("enabled")).expect("a folder");
        std::fs::write(layout.state.join("enabled").join(name), "").expect("write");
    }
    std::fs::create_dir_all(at("run")).expect("a folder");
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--", program]).stdin(Stdio::null());
        command
    };
    if !unshare("true").stderr(Stdio::null()).status().is_ok_and(|ended| ended.success()) {
        return;
    }
    let mut container = unshare(env!("CARGO_BIN_EXE_daemonctl"))
        .args(["supervise", "--user"])
        .env("HOME", folder.path())
        .env("XDG_STATE_HOME", at("state"))
        .env("XDG_RUNTIME_DIR", at("run"))
        .env("XDG_CONFIG_HOME", at("config"))
        .spawn()
        .expect("a container");
    let lines =
        || -> Vec<String> { std::fs::read_to_string(&order).unwrap_or_default().lines().map(str::to_owned).collect() };
    let seen = until(|| lines().len() == 3);
    let first = children(container.id()).first().map_or(0, |(pid, _)| *pid);
    // Sixty orphans come and go; the three services and what they wait for stay.
    let reaped = until(|| children(first).len() == 3 && children(first).iter().all(|(_, zombie)| !zombie));
    let left = children(first);
    signal(first, libc::SIGTERM);
    let exit = container.wait().expect("wait");
    seen.unwrap_or_else(|()| panic!("not started: {:?}", lines()));
    reaped.unwrap_or_else(|()| panic!("not reaped: {left:?}"));
    assert_eq!(lines()[3..], ["c", "b", "a"]);
    assert_eq!(exit.code(), Some(0));
}

#[test]
fn one_service_in_the_foreground_passes_its_exit_code_on_and_is_stopped_by_term() {
    let folder = tempfile::Builder::new().prefix("dctl").tempdir().expect("a folder");
    let manifest = folder.path().join("m.toml");
    let in_container = |script: &str| {
        let text = format!("[service.a]\nexec = ['/bin/sh', '-c', '{script}']\nrestart = {{ policy = 'never' }}\n");
        std::fs::write(&manifest, text).expect("write");
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--", env!("CARGO_BIN_EXE_daemonctl"), "run"]);
        command.arg(&manifest).args(["--user", "--pass-exit-code"]).stdin(Stdio::null());
        command.env("HOME", folder.path()).env("XDG_RUNTIME_DIR", folder.path());
        command
    };
    let Ok(output) = in_container("exit 23").output() else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare:") {
        return;
    }
    assert_eq!(output.status.code(), Some(23), "{said}");
    let up = folder.path().join("up");
    let script = format!("trap \\\"exit 0\\\" TERM; echo up > {}; while :; do sleep 1000 & wait; done", up.display());
    let script = script.replace("\\\"", "\"");
    let mut container = in_container(&script).spawn().expect("a container");
    until(|| up.exists()).expect("it runs");
    let first = children(container.id()).first().map_or(0, |(pid, _)| *pid);
    signal(first, libc::SIGTERM);
    assert_eq!(container.wait().expect("wait").code(), Some(0));
}
