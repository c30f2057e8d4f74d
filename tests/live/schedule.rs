//! A task: `start` arms it, its schedule runs it, `status` tells of the last run and the next.

use crate::support::{Test, Where, eventually};

fn runs(t: &Test) -> usize {
    std::fs::read_to_string(t.path("runs")).map(|text| text.lines().count()).unwrap_or_default()
}

#[test]
fn a_task_that_runs_every_second() {
    let Some(t) = Test::live("schedule_every") else { return };
    let task = |every: &str| {
        format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"append\", \"{{dir}}/runs\", \"run\"]\ntype = \"task\"\n\
             schedule = {{ every = \"{every}\" }}\n"
        )
    };
    t.manifest(&task("1s"));
    if t.place == Where::Windows {
        t.install().exits(6).complains("no timers"); // the manager has none, and so it is refused
        return;
    }
    if t.launchd() {
        // It starts no job more often than every ten seconds, and says so.
        t.install().exits(6).complains("ten");
        t.manifest(&task("10s"));
    }
    t.install().ok();
    eventually("two runs", || runs(&t) >= 2);
    // launchd tells how the last run went, and not when it was.
    let ran =
        |status: &serde_json::Value| status["last_run"].is_string() || t.launchd() && status["last_exit"]["code"] == 0;
    let status = t.wait_for("{p}a", ran);
    assert_eq!(status["state"], "running", "an armed task is up: {status:#}");
    t.run(&["start", "{p}a"]).ok();
    t.run(&["stop", "{p}a"]).ok();
    let status = t.status("{p}a");
    assert_eq!(status["state"], "stopped", "{status:#}");
    assert!(status["next_run"].is_null(), "{status:#}");
    let after = runs(&t);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(runs(&t), after, "a stopped task does not run");
}

#[test]
fn a_task_of_the_calendar_tells_its_next_run() {
    let Some(t) = Test::live("schedule_calendar") else { return };
    let task = |persistent: &str| {
        format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"append\", \"{{dir}}/runs\", \"run\"]\ntype = \"task\"\n\
             schedule = {{ calendar = \"daily 02:30\"{persistent} }}\n"
        )
    };
    t.manifest(&task(", persistent = true"));
    if t.place == Where::Windows {
        t.install().exits(6).complains("no timers"); // the manager has none, and so it is refused
        return;
    }
    if t.launchd() {
        // It makes up for what a machine slept through, not for what it was off for.
        t.install().exits(6).complains("persistent");
        t.manifest(&task(""));
    }
    t.install().ok();
    let status = t.wait_for("{p}a", |status| status["next_run"].is_string());
    assert_eq!(status["state"], "running", "{status:#}");
    assert_eq!(runs(&t), 0, "it waits for its time: {status:#}");
    t.run(&["uninstall", "{p}a"]).ok();
}
