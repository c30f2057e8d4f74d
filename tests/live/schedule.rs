//! A task: `start` arms it, its schedule runs it, `status` tells of the last run and the next.

use crate::support::{Test, eventually};

fn lines(t: &Test, file: &str) -> usize {
    std::fs::read_to_string(t.path(file)).map(|text| text.lines().count()).unwrap_or_default()
}

fn runs(t: &Test) -> usize {
    lines(t, "runs")
}

#[test]
fn a_task_that_runs_every_second() {
    let Some(t) = Test::live("schedule_every") else { return };
    let task = |every: &str| {
        let one = |name: &str, file: &str| {
            format!(
                "[service.{{p}}{name}]\nexec = [\"{{child}}\", \"append\", \"{{dir}}/{file}\", \"run\"]\ntype = \"task\"\n\
                 schedule = {{ every = \"{every}\" }}\n"
            )
        };
        one("a", "runs") + &one("clock", "clock")
    };
    t.manifest(&task("1s"));
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
    // The other task goes on: between the first and the third of its next runs this one would have had its turn.
    let (after, now) = (runs(&t), lines(&t, "clock"));
    eventually("three more runs of the other", || lines(&t, "clock") >= now + 3);
    assert_eq!(runs(&t), after, "a stopped task does not run");
}

#[test]
fn a_task_of_the_calendar_tells_its_next_run() {
    let Some(t) = Test::live("schedule_calendar") else { return };
    // Not about now, whatever time it is.
    let hour = (jiff::Zoned::now().hour() + 12) % 24;
    let task = |persistent: &str| {
        format!(
            "[service.{{p}}a]\nexec = [\"{{child}}\", \"append\", \"{{dir}}/runs\", \"run\"]\ntype = \"task\"\n\
             schedule = {{ calendar = \"daily {hour:02}:30\"{persistent} }}\n"
        )
    };
    t.manifest(&task(", persistent = true"));
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
