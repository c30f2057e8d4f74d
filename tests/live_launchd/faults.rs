//! Every fault in turn, at every verb that a command uses: it succeeds and is done, or it fails, says so, and what is told
//! of the service is true; and the next try mends it.

use serde_json::{Value, json};

use crate::support::{Ran, Test};

const OLD: &str =
    "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { WHICH = \"old\" }\nrestart = { policy = \"never\" }\n";
const NEW: &str =
    "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { WHICH = \"new\" }\nrestart = { policy = \"never\" }\n";

/// What the machine is like: `absent`, `down`, `up old`, `up new`, each ` disabled` where it does not start at boot.
fn machine(t: &Test) -> String {
    let (status, job) = (t.status("{p}a"), t.job("a"));
    assert_eq!(status["state"] == "running", job["pid"].is_i64(), "the status is not true: {status:#} but {job:#}");
    if status["state"] == "not-installed" {
        assert!(job.is_null(), "something is left: {job:#}");
        return "absent".to_owned();
    }
    let mut said = match status["pid"].as_u64() {
        None => "down".to_owned(),
        Some(pid) => {
            let environment = crate::support::environment(pid);
            let mark = environment.split('\0').find_map(|line| line.strip_prefix("WHICH=")).unwrap_or("-").to_owned();
            format!("up {mark}")
        }
    };
    if status["enabled"] == Value::Bool(false) {
        said += " disabled";
    }
    said
}

/// Commands that lead from a machine to the one that the test begins with.
fn prepare(t: &Test, steps: &[&[&str]]) {
    for step in steps {
        let ran = match step {
            ["old"] => {
                t.manifest(OLD);
                t.install()
            }
            ["new"] => {
                t.manifest(NEW);
                continue;
            }
            words => t.run(words),
        };
        ran.ok();
    }
}

struct Walk<'a> {
    /// How to come to where it begins, from wherever.
    before: &'a [&'a [&'a str]],
    command: &'a [&'a str],
    /// What may be there after a failure.
    failed: &'a [&'a str],
    /// What is there after a success.
    done: &'a str,
}

impl Walk<'_> {
    fn walk(&self, name: &str) {
        let Some(t) = Test::live(name) else { return };
        // Which verbs are used at all: a run without a fault.
        prepare(&t, self.before);
        let known = t.model().history().len();
        t.run(self.command).ok();
        let history = t.model().history();
        let mut verbs: Vec<_> = history[known..]
            .iter()
            .filter(|line| line["what"] == "asked")
            .map(|line| line["args"][0].as_str().unwrap().to_owned())
            .collect();
        verbs.sort();
        verbs.dedup();
        assert_eq!(machine(&t), self.done);
        assert!(!verbs.is_empty());
        let whats = [
            json!({ "fail": 1 }),
            json!({ "fail": 5 }),
            json!({ "fail": 36 }),
            json!({ "fail": 37 }),
            json!({ "fail": 124 }),
            json!({ "fail": 125 }),
            json!({ "fail": 150 }),
            json!({ "fail-after": 5 }),
            json!("nothing"),
            json!({ "truncate": 60 }),
            json!({ "words": "Das ging nicht." }),
            json!({ "delay": 150 }),
        ];
        let (part, parts) = share();
        let mut case = 0;
        for verb in &verbs {
            for what in &whats {
                // The first call and the second: what is asked before and after an act.
                for after in 0..2 {
                    case += 1;
                    if case % parts != part {
                        continue;
                    }
                    let shown = format!("{} with {verb} {what} after {after}", self.command.join(" "));
                    prepare(&t, self.before);
                    t.model().fault(&json!({ "verb": verb, "after": after, "times": 1, "what": what }));
                    let ran = t.run(self.command);
                    let struck = t.model().struck() > 0;
                    t.model().run(&["model", "clear"]).ok();
                    if !struck {
                        assert_eq!(ran.code, 0, "{shown}: {ran}");
                        break;
                    }
                    self.check(&t, &shown, &ran);
                }
            }
        }
        t.run(&["uninstall", "--all"]).ok();
    }

    fn check(&self, t: &Test, shown: &str, ran: &Ran) {
        let now = machine(t);
        if ran.code == 0 {
            assert_eq!(now, self.done, "it said that it was done: {shown}: {ran}");
            return;
        }
        assert!(ran.stdout.len() + ran.stderr.len() > 20, "{shown}: {ran}");
        assert!(now == self.done || self.failed.contains(&now.as_str()), "{shown}: it is `{now}`: {ran}");
        let again = t.run(self.command);
        assert_eq!(again.code, 0, "the next try must mend it: {shown}: {again}");
        assert_eq!(machine(t), self.done, "the next try must mend it: {shown}: {again}");
    }
}

/// `DAEMONCTL_LIVE_SHARE=1/3`: of three cases in a row the one with this number, from 0. All of them without it.
fn share() -> (usize, usize) {
    let share = std::env::var("DAEMONCTL_LIVE_SHARE").unwrap_or_else(|_| "0/1".to_owned());
    let (part, parts) = share.split_once('/').unwrap();
    (part.parse().unwrap(), parts.parse().unwrap())
}

const CLEAN: &[&str] = &["uninstall", "--all"];
const UP: &[&[&str]] = &[CLEAN, &["old"]];

#[test]
fn install() {
    Walk { before: &[CLEAN, &["new"]], command: &["install", "manifest.toml"], failed: &["absent"], done: "up new" }
        .walk("fault_install");
}

#[test]
fn update() {
    let before: &[&[&str]] = &[CLEAN, &["old"], &["new"]];
    Walk { before, command: &["install", "manifest.toml"], failed: &["up old"], done: "up new" }.walk("fault_update");
}

#[test]
fn stop() {
    Walk { before: UP, command: &["stop", "{p}a"], failed: &["up old"], done: "down" }.walk("fault_stop");
}

#[test]
fn start() {
    let before: &[&[&str]] = &[CLEAN, &["old"], &["stop", "{p}a"]];
    Walk { before, command: &["start", "{p}a"], failed: &["down"], done: "up old" }.walk("fault_start");
}

#[test]
fn restart() {
    Walk { before: UP, command: &["restart", "{p}a"], failed: &["up old", "down"], done: "up old" }
        .walk("fault_restart");
}

#[test]
fn disable() {
    Walk { before: UP, command: &["disable", "{p}a"], failed: &["up old"], done: "up old disabled" }
        .walk("fault_disable");
}

#[test]
fn enable() {
    let before: &[&[&str]] = &[CLEAN, &["old"], &["disable", "{p}a"]];
    Walk { before, command: &["enable", "{p}a"], failed: &["up old disabled"], done: "up old" }.walk("fault_enable");
}

#[test]
fn uninstall() {
    Walk { before: UP, command: CLEAN, failed: &["up old", "down"], done: "absent" }.walk("fault_uninstall");
}
