//! One manifest with health, file logs and watch: on every manager the same is observed, event by event.

use nix::sys::signal::Signal;

use crate::support::{Test, eventually, signal};

/// It says when it is up, writes a page on USR1, and tells of each HUP.
const PROGRAM: &str = "#!/bin/sh\n\
    trap 'echo read again' HUP\n\
    trap 'i=0; while [ $i -lt 200 ]; do i=$((i + 1)); n=$((n + 1)); echo \"line $n of many, so that files get full\"; done' USR1\n\
    n=0; echo up as $$\nwhile :; do sleep 1000 & wait $!; done\n";

/// The same keys for each, whichever way its manager meets them.
const MANIFEST: &str = "\
    [service.{p}a]\n\
    exec = [\"/bin/sh\", \"{dir}/program\"]\n\
    ready = { log = \"up as\" }\n\
    restart = { delay = \"100ms\", jitter = 0.1 }\n\
    stop = { timeout = \"5s\" }\n\
    reload = { signal = \"HUP\", check = [\"/bin/sh\", \"-c\", \"grep -q good {dir}/conf/a.toml\"] }\n\
    [service.{p}a.health]\n\
    exec = [\"/bin/sh\", \"-c\", \"test ! -e {dir}/sick\"]\n\
    interval = \"200ms\"\n\
    timeout = \"200ms\"\n\
    failures = 2\n\
    [service.{p}a.watch]\n\
    paths = [\"{dir}/conf/*.toml\"]\n\
    action = \"reload\"\n\
    debounce = \"50ms\"\n\
    [service.{p}a.logs]\n\
    to = [\"file\"]\n\
    file = \"{dir}/log/web.log\"\n\
    format = \"raw\"\n\
    max_size = \"4KiB\"\n\
    keep = 20\n\
    compress = \"gzip\"\n";

fn events(t: &Test) -> Vec<String> {
    let ran = t.run(&["events", "{p}a", "--json", "--lines", "all"]).ok();
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

fn told(t: &Test, what: &str, times: usize) {
    eventually(&format!("{times} x {what}"), || events(t).iter().filter(|event| *event == what).count() == times);
}

fn logged(t: &Test) -> Vec<String> {
    let ran = t.run(&["logs", "{p}a", "--lines", "all", "--json"]).ok();
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

fn configure(t: &Test, text: &str) {
    let new = t.write("conf.new", text);
    std::fs::rename(new, t.path("conf/a.toml")).unwrap();
}

#[test]
fn health_file_logs_and_watch_are_the_same_everywhere() {
    let Some(t) = Test::live("one_manifest") else { return };
    t.write("program", PROGRAM);
    std::fs::create_dir(t.path("conf")).unwrap();
    std::fs::create_dir(t.path("log")).unwrap();
    configure(&t, "good 1");
    t.manifest(MANIFEST);
    t.install().ok().says("installed");
    let status = t.wait_for("{p}a", |status| status["healthy"] == true);
    assert_eq!(
        (&status["state"], &status["hosted"], &status["ready"], &status["restarts"]),
        (&"running".into(), &true.into(), &true.into(), &0.into()),
        "{status:#}"
    );
    let first = t.pid("{p}a");

    // Files: rotated, compressed, and read as one.
    signal(first, Signal::SIGUSR1);
    eventually("a page in the log", || logged(&t).len() == 201);
    let page: Vec<String> = (1..=200).map(|n| format!("line {n} of many, so that files get full")).collect();
    assert_eq!(logged(&t)[0], format!("up as {first}"));
    assert_eq!(logged(&t)[1..], page, "each line once, in order, out of all generations");
    let compressed = || {
        let names = std::fs::read_dir(t.path("log")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".gz")).count()
    };
    eventually("rotated files are compressed", || compressed() >= 1);

    // Watch: a good change is taken over, a bad one is not.
    configure(&t, "good 2");
    told(&t, "reloaded", 1);
    eventually("the program has read again", || logged(&t).last().is_some_and(|line| line == "read again"));
    configure(&t, "bad");
    told(&t, "reload-refused", 1);
    assert_eq!(logged(&t).iter().filter(|line| *line == "read again").count(), 1);
    assert_eq!(t.pid("{p}a"), first, "nothing of that restarts it");

    // Health: who is sick is restarted.
    t.write("sick", "");
    told(&t, "unhealthy", 1);
    std::fs::remove_file(t.path("sick")).unwrap();
    told(&t, "ready", 2);
    let status = t.wait_for("{p}a", |status| status["state"] == "running" && status["healthy"] == true);
    assert_eq!(status["restarts"], 1, "{status:#}");
    assert!(status["last_exit"]["reason"].as_str().unwrap().contains("unhealthy"), "{status:#}");
    let second = t.pid("{p}a");
    assert_ne!(second, first);

    // And who is killed.
    signal(second, Signal::SIGKILL);
    told(&t, "ready", 3);
    let status = t.wait_for("{p}a", |status| status["state"] == "running");
    assert_eq!((&status["restarts"], &status["last_exit"]["signal"]), (&2.into(), &"KILL".into()), "{status:#}");

    t.run(&["stop", "{p}a"]).ok().says("stopped");
    let status = t.status("{p}a");
    assert_eq!((&status["state"], &status["wanted"]), (&"stopped".into(), &"down".into()), "{status:#}");
    assert_eq!(logged(&t).iter().filter(|line| line.starts_with("up as")).count(), 3);
    assert_eq!(
        events(&t),
        [
            "starting",
            "ready",
            "reloaded",
            "reload-refused",
            "unhealthy",
            "stopping",
            "exited",
            "backoff",
            "starting",
            "ready",
            "exited",
            "backoff",
            "starting",
            "ready",
            "stopping",
            "exited",
            "stopped",
        ]
    );
}
