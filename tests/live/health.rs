//! A service that is up and does not answer is restarted.

use crate::support::{Test, eventually, free_port};

#[test]
fn a_sick_one_is_restarted() {
    let Some(t) = Test::live("health") else { return };
    let port = free_port();
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"{{child}}\", \"serve\", \"{port}\", \"--sick-file\", \"{{dir}}/sick\"]\n\
         ready = {{ tcp = \"127.0.0.1:{port}\" }}\nstop = {{ timeout = \"3s\" }}\nrestart = {{ delay = \"100ms\" }}\n\
         health = {{ http = \"http://127.0.0.1:{port}/health\", interval = \"200ms\", timeout = \"200ms\", failures = 2, start_period = \"1s\" }}\n"
    ));
    t.install().ok();
    let pid = t.pid("{p}a");
    t.wait_for("{p}a", |status| status["healthy"] == true);
    t.write("sick", "");
    t.wait_for("{p}a", |status| status["pid"].as_i64() != Some(pid.into()));
    std::fs::remove_file(t.path("sick")).unwrap();
    let status = t
        .wait_for("{p}a", |status| status["state"] == "running" && status["restarts"].as_u64().is_some_and(|n| n >= 1));
    assert_eq!(status["hosted"], true, "{status:#}");
    t.wait_for("{p}a", |status| status["healthy"] == true);
}

#[test]
fn a_heartbeat_that_stops() {
    let Some(t) = Test::live("heartbeat") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"notify\", \"--watchdog\", \"200\", \"--hang-on\", \"USR1\"]\n\
         ready = { notify = true }\nhealth = { heartbeat = true, interval = \"1s\" }\nrestart = { delay = \"100ms\" }\nstop = { timeout = \"2s\" }\n",
    );
    t.install().ok();
    let pid = t.pid("{p}a");
    crate::support::signal(pid, nix::sys::signal::Signal::SIGUSR1);
    t.wait_for("{p}a", |status| {
        status["state"] == "running" && status["pid"].is_i64() && status["pid"].as_i64() != Some(pid.into())
    });
    eventually("the old one is gone", || !crate::support::lives(pid));
}
