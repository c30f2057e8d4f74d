//! A job that launchd restarts for ever is told as what it is, whenever it is looked at.

use serde_json::json;

use crate::support::{Test, eventually};

#[test]
fn is_never_running() {
    let Some(t) = Test::live("for_ever") else { return };
    // Short of a second, as long as a look at it takes, and in no time: looks come before, in and after its processes.
    for (ends, last) in [
        ("\"exit\", \"3\"", "3"),
        ("\"crash\", \"SEGV\"", "SEGV"),
        ("\"exit\", \"4\", \"after\", \"100\"", "4"),
        ("\"exit\", \"0\", \"after\", \"400\"", "0"),
    ] {
        t.manifest(&format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", {ends}]\nrestart = {{ policy = \"always\" }}\nhost = \"never\"\n"
        ));
        t.run(&["install", "manifest.toml", "--no-start"]).ok();
        t.model().set(&json!({ "spawn_second": 5 }));
        // As at a boot: launchd loads it, and nobody waits for it to run.
        let file = std::fs::read_dir(t.definitions()).unwrap().next().unwrap().unwrap().path();
        t.model().run(&["bootstrap", &t.domain(), file.to_str().unwrap()]).ok();
        let runs = || t.job("a")["runs"].as_u64().unwrap_or(0);
        // Until its first end it has run, as far as anybody can tell.
        eventually("a second run", || runs() >= 2);
        let (mut looks, mut restarts, mut alive) = (0, 0, 0);
        eventually("dozens of runs and of looks at it", || {
            let status = t.status("{p}a");
            assert_eq!(status["state"], "backoff", "{status:#}");
            assert!(status["restarts"].as_u64() >= Some(restarts.max(1)), "{status:#}");
            assert!(status["last_exit"].to_string().contains(last), "{status:#}");
            assert!(status["last_exit"]["reason"].as_str().is_some_and(|reason| reason.len() > 3), "{status:#}");
            restarts = status["restarts"].as_u64().unwrap();
            alive += usize::from(status["pid"].is_u64());
            looks += 1;
            looks >= 24 && restarts >= 24
        });
        assert!(alive > 0 || !ends.contains("400"), "no look found a process");
        let ran = t.run(&["status", "{p}a"]).exits(5);
        let told = ran.stdout.lines().filter(|line| !line.starts_with("note:"));
        assert!(told.clone().any(|line| line.contains("backoff")), "{ran}");
        assert!(!told.clone().any(|line| line.contains("running")), "{ran}");
        t.run(&["uninstall", "{p}a"]).ok();
        assert!(t.job("a").is_null());
    }
}
