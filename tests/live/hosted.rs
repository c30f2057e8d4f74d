//! A manifest that asks for more than the manager has runs under daemonctl's host, and looks the same.

use nix::sys::signal::Signal;

use crate::support::{Test, lives, signal};

#[test]
fn a_hosted_service_that_gives_up() {
    let Some(t) = Test::live("hosted_gives_up") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"exit\", \"7\", \"after\", \"1000\"]\nhost = \"always\"\n\
         restart = { policy = \"always\", delay = \"300ms\", jitter = 0.1, limit = { count = 2, within = \"5m\" } }\n",
    );
    t.install().ok();
    let status = t.wait_for("{p}a", |status| status["state"] == "gave-up");
    assert_eq!(status["last_exit"]["code"], 7, "{status:#}");
    assert_eq!(status["hosted"], true, "{status:#}");
    assert!(status["restarts"].as_u64().is_some_and(|restarts| restarts >= 2), "{status:#}");
    t.run(&["status", "{p}a"]).exits(5);
    t.run(&["start", "{p}a"]).ok();
}

#[test]
fn a_hosted_service_that_backs_off() {
    let Some(t) = Test::live("hosted_backoff") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"exit\", \"7\", \"when\", \"{dir}/end\"]\nhost = \"always\"\n\
         restart = { policy = \"always\", delay = \"40s\", jitter = 0.1 }\n",
    );
    t.install().ok();
    t.write("end", "");
    let status = t.wait_for("{p}a", |status| status["state"] == "backoff");
    assert!(status["next_retry"].is_string(), "{status:#}");
    assert_eq!(status["last_exit"]["code"], 7, "{status:#}");
    t.run(&["stop", "{p}a"]).ok();
    assert_eq!(t.status("{p}a")["state"], "stopped");
}

#[test]
fn the_program_is_what_status_shows_and_the_host_repairs() {
    let Some(t) = Test::live("hosted_repair") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--print\", \"up it is\", \"sleep\"]\nhost = \"always\"\nready = { log = \"up it is\" }\n\
         restart = { policy = \"always\", delay = \"100ms\" }\n",
    );
    t.install().ok();
    let first = t.pid("{p}a");
    let command = crate::support::command_line(first);
    assert!(command.contains("sleep"), "status must show the program, not the host: {command}");
    signal(first, Signal::SIGKILL);
    let status = t.wait_for("{p}a", |status| {
        status["state"] == "running" && status["pid"].as_u64().is_some_and(|pid| i32::try_from(pid) != Ok(first))
    });
    assert_eq!(status["restarts"], 1, "{status:#}");
    assert_eq!(status["ready"], true, "{status:#}");
    let second = t.pid("{p}a");
    t.run(&["stop", "{p}a"]).ok();
    assert!(!lives(second));
    t.install().ok();
}
