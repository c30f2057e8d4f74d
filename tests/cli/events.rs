//! `events -f`: what happens is shown when it happens.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{PATIENCE, Test, eventually, signal};

#[test]
fn followed_from_before_the_start_to_the_end() {
    let t = Test::home("events_follow");
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nstart = \"manual\"\nrestart = { policy = \"always\", delay = \"50ms\" }\n\
         [service.{p}b]\nexec = [\"{child}\", \"sleep\"]\n",
    );
    t.install().ok();
    let mut follower =
        t.command(&["events", "-f", "--json", "--lines", "0", "{p}a"]).stdout(Stdio::piped()).spawn().unwrap();
    let out = follower.stdout.take().unwrap();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if told.send(serde_json::from_str::<serde_json::Value>(&line).unwrap()).is_err() {
                return;
            }
        }
    });
    let next = || {
        let event = heard.recv_timeout(PATIENCE).expect("an event while it is followed");
        assert_eq!(event["unit"], t.fill("{p}a"), "only of the named one: {event}");
        event["event"].as_str().unwrap().to_owned()
    };
    // Whether it listens yet, its first event tells.
    while heard.recv_timeout(Duration::from_millis(100)).is_err() {
        t.run(&["restart", "{p}a"]).ok();
    }
    t.run(&["stop", "{p}a"]).ok();
    let mut rest = Vec::new();
    while rest.last().is_none_or(|event| event != "stopped") {
        rest.push(next());
    }
    t.run(&["start", "{p}a"]).ok();
    assert_eq!([next(), next()], ["starting", "ready"]);
    let pid = t.pid("{p}a");
    signal(pid, Signal::SIGKILL);
    assert_eq!([next(), next(), next(), next()], ["exited", "backoff", "starting", "ready"]);
    // Not by SIGINT: what is started in the background by a shell without job control ignores that.
    signal(i32::try_from(follower.id()).unwrap(), Signal::SIGTERM);
    eventually("the follower to end", || follower.try_wait().unwrap().is_some());
}
