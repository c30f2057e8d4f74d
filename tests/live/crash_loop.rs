//! A service that keeps dying is told as what it is, never as running.

use crate::support::{Test, kill};

#[test]
fn backs_off_and_gives_up() {
    let Some(t) = Test::live("gives_up") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"exit\", \"7\", \"after\", \"1000\"]\n\
         restart = { policy = \"always\", delay = \"300ms\", limit = { count = 3, within = \"5m\" } }\n",
    );
    t.install().ok();
    let status = t.wait_for("{p}a", |status| status["state"] == "gave-up");
    assert_eq!(status["last_exit"]["code"], 7, "{status:#}");
    assert!(status["last_exit"]["reason"].as_str().unwrap().contains('7'), "{status:#}");
    assert!(status["restarts"].as_u64().is_some_and(|restarts| (2..=3).contains(&restarts)), "{status:#}");
    assert!(status["pid"].is_null(), "{status:#}");
    t.run(&["status", "{p}a"]).exits(5);
    // A person may always try again.
    t.run(&["start", "{p}a"]).ok();
    t.wait_for("{p}a", |status| status["state"] == "gave-up");
}

#[test]
fn shows_the_next_retry() {
    let Some(t) = Test::live("next_retry") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"exit\", \"7\", \"when\", \"{dir}/end\"]\nrestart = { policy = \"always\", delay = \"30s\" }\n",
    );
    t.install().ok();
    t.write("end", "");
    let status = t.wait_for("{p}a", |status| status["state"] == "backoff");
    assert!(status["next_retry"].is_string(), "{status:#}");
    assert_eq!(status["last_exit"]["code"], 7, "{status:#}");
    t.run(&["status", "{p}a"]).exits(5);
    // Who starts it now does not wait for the retry.
    let begun = std::time::Instant::now();
    t.run(&["start", "{p}a"]);
    assert!(begun.elapsed().as_secs() < 20, "a start by a person waited for the backoff");
}

#[test]
fn tells_the_signal_that_killed_it() {
    let Some(t) = Test::live("killed") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nrestart = { policy = \"never\" }\n");
    t.install().ok();
    kill(t.pid("{p}a"));
    let status = t.wait_for("{p}a", |status| status["state"] == "failed");
    if cfg!(unix) {
        assert_eq!(status["last_exit"]["signal"], "KILL", "{status:#}");
    } else {
        assert_eq!(status["last_exit"]["code"], 9, "{status:#}");
    }
}

#[test]
fn codes_that_mean_success_and_codes_that_forbid_a_restart() {
    let Some(t) = Test::live("codes") else { return };
    t.manifest(
        "[service.{p}ok]\nexec = [\"{child}\", \"exit\", \"143\", \"when\", \"{dir}/end\"]\n\
         restart = { policy = \"on-failure\", delay = \"100ms\", success_codes = [143] }\n\n\
         [service.{p}never]\nexec = [\"{child}\", \"exit\", \"78\", \"when\", \"{dir}/end\"]\n\
         restart = { policy = \"always\", delay = \"100ms\", prevent_codes = [78] }\n",
    );
    t.install().ok();
    t.write("end", "");
    let status = t.wait_for("{p}ok", |status| status["pid"].is_null() && status["state"] != "backoff");
    assert!(status["state"] == "completed" || status["state"] == "stopped", "{status:#}");
    let status = t.wait_for("{p}never", |status| status["state"] == "failed");
    assert_eq!(status["restarts"], 0, "{status:#}");
}
