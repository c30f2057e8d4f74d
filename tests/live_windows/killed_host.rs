//! A host that was killed takes its program along, and `status` says so.

use super::system;
use crate::support::windows::Scm;
use crate::support::{eventually, kill, lives};

#[test]
fn status_tells_of_a_killed_host() {
    let Some(t) = system("killed_host") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");
    t.install().ok();
    let child = t.pid("{p}a");
    let host = Scm::open(&t.fill("{p}a")).unwrap().status().dwProcessId;
    kill(host.cast_signed());
    eventually("its program is gone too", || !lives(child));
    // The manager may bring the host back by then; Wine's does not.
    let status = t.wait_for("{p}a", |status| status["state"] == "failed");
    let reason = status["last_exit"]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains(&format!("its host, process {host}, was killed")), "{status:#}");
    assert_eq!(status["wanted"], "up", "{status:#}");
    let notes = status["notes"].to_string();
    assert!(notes.contains("service control manager"), "what the manager does about it is told: {status:#}");
    t.run(&["status", "{p}a"]).exits(5).says("its host");
    // The next host begins anew, and nothing is left of that.
    t.run(&["start", "{p}a"]).ok();
    assert_ne!(t.pid("{p}a"), child);
    assert!(!t.status("{p}a")["notes"].to_string().contains("killed"));
    t.run(&["stop", "{p}a"]).ok();
    t.run(&["status", "{p}a"]).exits(3);
}
