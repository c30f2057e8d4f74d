//! A job that launchd restarts for ever is told as what it is.

use serde_json::json;

use crate::support::Test;

#[test]
fn shows_backoff_with_runs_and_the_last_end() {
    let Some(t) = Test::live("for_ever") else { return };
    for (ends, last) in [("\"exit\", \"3\"", "3"), ("\"crash\", \"SEGV\"", "SEGV")] {
        t.manifest(&format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", {ends}]\nrestart = {{ policy = \"always\" }}\nhost = \"never\"\n"
        ));
        t.run(&["install", "manifest.toml", "--no-start"]).ok();
        // It cannot be started in the sense of the word, and says so; launchd goes on trying.
        t.model().set(&json!({ "spawn_second": 2 }));
        t.run(&["start", "{p}a"]).exits(1);
        let load = |t: &Test| {
            let domain = t.domain();
            let file = std::fs::read_dir(t.definitions()).unwrap().next().unwrap().unwrap().path();
            t.model().run(&["bootstrap", &domain, file.to_str().unwrap()]);
        };
        if t.job("a").is_null() {
            load(&t);
        }
        crate::support::eventually("some runs", || t.job("a")["runs"].as_u64() >= Some(3));
        // From here on it waits long enough to be looked at.
        t.model().set(&json!({ "spawn_second": 60_000 }));
        let status = t.wait_for("{p}a", |status| status["pid"].is_null() && status["state"] == "backoff");
        assert!(status["restarts"].as_u64() >= Some(2), "{status:#}");
        assert!(status["last_exit"].to_string().contains(last), "{status:#}");
        assert!(status["last_exit"]["reason"].as_str().is_some_and(|reason| reason.len() > 3), "{status:#}");
        t.run(&["status", "{p}a"]).exits(5);
        t.run(&["uninstall", "{p}a"]).ok();
        assert!(t.job("a").is_null());
    }
}
