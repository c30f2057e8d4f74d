//! What a service says of itself by `sd_notify` reaches systemd through the host.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::{Test, eventually, signal};

fn show(t: &Test, property: &str) -> String {
    let mut command = Command::new("systemctl");
    if !t.system_scope() {
        command.arg("--user");
    }
    let output = command.args(["show", "--value", "--property", property, &t.fill("{p}a.service")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn readiness_status_watchdog_reloads_and_extensions() {
    let Some(t) = Test::live("notify") else { return };
    // Longer than `ready.timeout`, and than the time that systemd gives the unit by itself (1 s and the host's 10 s).
    t.write(
        "program",
        "#!/bin/sh\nsay() { {child} --notify \"$1\" exit 0; }\n\
         trap 'say RELOADING=1' USR1\ntrap 'say READY=1' USR2\n\
         say EXTEND_TIMEOUT_USEC=60000000\nsleep 12.5\nsay 'STATUS=serving well'\nsay READY=1\n\
         while :; do say WATCHDOG=1; sleep 0.2; done\n",
    );
    t.manifest(
        "[service.{p}a]\nexec = [\"/bin/sh\", \"{dir}/program\"]\nhost = \"always\"\n\
         ready = { notify = true, timeout = \"1s\" }\nstop = { timeout = \"3s\" }\n\
         [service.{p}a.systemd]\nService = { WatchdogSec = \"3s\" }\n",
    );
    t.install().ok();
    let main = t.pid("{p}a");
    assert_eq!(show(&t, "Type"), "notify");
    assert_eq!((show(&t, "ActiveState"), show(&t, "StatusText")), ("active".to_owned(), "serving well".to_owned()));
    assert!(t.status("{p}a")["notes"].to_string().contains("serving well"));

    // Its heartbeats are what keeps systemd's watchdog quiet.
    let beat = || show(&t, "WatchdogTimestampMonotonic");
    let first = beat();
    eventually("a further heartbeat", || beat() != first);

    signal(main, Signal::SIGUSR1);
    eventually("systemd sees the reload", || show(&t, "ActiveState") == "reloading");
    assert!(t.status("{p}a")["notes"].to_string().contains("reads its configuration again"));
    signal(main, Signal::SIGUSR2);
    eventually("systemd sees its end", || show(&t, "ActiveState") == "active");

    // A program that hangs is one whose heartbeats do not come.
    signal(main, Signal::SIGSTOP);
    eventually("systemd's watchdog has barked", || show(&t, "NRestarts") != "0");
    t.run(&["stop", "{p}a"]).ok();
}
