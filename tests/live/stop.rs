//! `stop` succeeds when the whole process tree is gone, and not before.

use crate::support::{Test, Where, eventually, lives};

fn pid_in(t: &Test, file: &str) -> i32 {
    let path = t.path(file);
    let read = || std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    eventually("the process id is written", || read().is_some());
    read().unwrap()
}

#[test]
fn a_child_that_ignores_the_signal_is_killed_after_its_time() {
    let Some(t) = Test::live("ignores_term") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"ignore-term\"]\nstop = { timeout = \"1s\" }\n");
    t.install().ok();
    let pid = t.pid("{p}a");
    let begun = std::time::Instant::now();
    t.run(&["stop", "{p}a"]).ok();
    assert!(begun.elapsed().as_millis() >= 900, "it must be given its time first");
    assert!(!lives(pid));
    assert_eq!(t.status("{p}a")["wanted"], "down");
}

#[test]
fn the_report_says_who_was_sent_what_and_who_ignored_it() {
    let Some(t) = Test::live("stop_report") else { return };
    let windows = matches!(t.place, Where::Windows | Where::WindowsUser);
    let (polite, rough) = if windows { ("Ctrl-C", "TerminateJobObject") } else { ("SIGTERM", "SIGKILL") };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"ignore-term\"]\nhost = \"always\"\nready = { log = \"ignoring TERM\" }\n\
         stop = { timeout = \"500ms\" }\n",
    );
    t.install().ok();
    let pid = t.pid("{p}a");
    let report = t.run(&["stop", "{p}a", "--json"]).ok().json();
    let stop = report["units"][0]["stop"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!((&stop[0]["what"], &stop[0]["to"]), (&polite.into(), &serde_json::json!([pid])), "{report:#}");
    assert_eq!(stop[0]["ignored_by"], serde_json::json!([pid]), "{report:#}");
    assert_eq!(stop.last().unwrap()["what"], rough, "{report:#}");
    assert!(stop.last().unwrap()["after_ms"].as_u64().is_some_and(|after| after >= 450), "{report:#}");
    // And for those who were told by events.
    let events = t.run(&["events", "{p}a", "--json", "--lines", "all"]).ok().stdout;
    let last = events.lines().rfind(|line| line.contains("\"stopped\"")).unwrap_or_else(|| panic!("{events}"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["stop"], report["units"][0]["stop"], "{last}");
    t.run(&["start", "{p}a"]).ok();
    t.run(&["stop", "{p}a"]).ok().says(&format!("{polite} was ignored by"));
}

#[test]
fn a_grandchild_with_a_session_of_its_own_goes_too() {
    let Some(t) = Test::live("setsid") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"grandchild\", \"--setsid\", \"--hold-stdout\", \"--pid-file\", \"{dir}/grandchild\"]\nstop = { timeout = \"2s\" }\n",
    );
    t.install().ok();
    let grandchild = pid_in(&t, "grandchild");
    assert!(lives(grandchild));
    t.run(&["stop", "{p}a"]).ok();
    assert!(!lives(grandchild), "the grandchild outlived the stop");
    t.run(&["start", "{p}a"]).ok();
    t.run(&["restart", "{p}a"]).ok();
}

#[test]
fn a_stop_during_backoff_holds() {
    let Some(t) = Test::live("stop_in_backoff") else { return };
    // The other one is the clock: it comes back in the time in which this one would, if it did.
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"exit\", \"1\", \"when\", \"{dir}/end\"]\nrestart = { policy = \"always\", delay = \"1500ms\" }\n\
         [service.{p}clock]\nexec = [\"{child}\", \"--append\", \"{dir}/clock\", \"up\", \"exit\", \"1\", \"when\", \"{dir}/end\"]\n\
         restart = { policy = \"always\", delay = \"1500ms\" }\n",
    );
    let ticks = || std::fs::read_to_string(t.path("clock")).map_or(0, |text| text.lines().count());
    t.install().ok();
    t.write("end", "");
    t.wait_for("{p}a", |status| status["state"] == "backoff");
    t.run(&["stop", "{p}a"]).ok();
    let status = t.status("{p}a");
    assert!(status["state"] == "stopped" || status["state"] == "failed", "{status:#}");
    // Between two of its ticks is the whole delay.
    let now = ticks();
    eventually("two more runs of the other", || ticks() >= now + 2);
    let later = t.status("{p}a");
    assert_eq!(later["state"], status["state"], "it came back after a stop: {later:#}");
    assert!(later["pid"].is_null(), "{later:#}");
}
