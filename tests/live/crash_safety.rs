//! `kill -9` of `install` and `uninstall` at every place of the journal: the next command finds the old state or
//! the new one, never a mixture.

use crate::support::{Test, lives};

const OLD: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { WHICH = \"old\" }\n\n\
                   [service.{p}b]\nexec = [\"{child}\", \"sleep\"]\nafter = [\"{p}a\"]\n";
const NEW: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { WHICH = \"new\" }\n\n\
                   [service.{p}b]\nexec = [\"{child}\", \"sleep\"]\nafter = [\"{p}a\"]\n\n\
                   [service.{p}c]\nexec = [\"{child}\", \"sleep\"]\nrequires = [\"{p}a\"]\n";

/// Runs a command that kills itself at the n-th place. False: it came to its end before.
fn killed_at(t: &Test, args: &[&str], place: usize) -> bool {
    let output = t.command(args).env("DAEMONCTL_KILL_AT", place.to_string()).output().unwrap();
    match output.status.code() {
        None => true,
        Some(0) => false,
        Some(code) => panic!(
            "`{}` exited with {code} before place {place}:\n{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// What each service is, as one word a service.
fn state(t: &Test) -> Vec<String> {
    ["{p}a", "{p}b", "{p}c"]
        .iter()
        .map(|unit| {
            let status = t.status(unit);
            let state = status["state"].as_str().unwrap_or("?").to_owned();
            let Some(pid) = status["pid"].as_u64() else { return state };
            assert!(lives(i32::try_from(pid).unwrap()));
            assert!(status["drift"] == "none" || status["drift"] == "manifest", "{status:#}");
            let environment = crate::support::environment(pid);
            let which = environment.split('\0').find_map(|line| line.strip_prefix("WHICH=")).unwrap_or("-");
            format!("{state} {which}")
        })
        .collect()
}

/// The next command that changes anything recovers.
fn recover(t: &Test) {
    let ran = t.run(&["start", "--all"]);
    assert!(matches!(ran.code, 0 | 4), "{ran}");
}

fn walk(t: &Test, args: &[&str], prepare: impl Fn(), old: &[&str], new: &[&str]) {
    let mut places = 0;
    for place in 1.. {
        prepare();
        let killed = killed_at(t, args, place);
        recover(t);
        let after = state(t);
        assert!(
            after == old || after == new,
            "`{}` killed at place {place} left a mixture: {after:?} is neither {old:?} nor {new:?}",
            args.join(" ")
        );
        if !killed {
            assert_eq!(after, new);
            break;
        }
        places = place;
    }
    assert!(places >= 3, "only {places} places were walked");
}

#[test]
fn a_first_install() {
    let Some(t) = Test::live("kill_first") else { return };
    let clean = t.machine();
    t.manifest(NEW);
    let absent = ["not-installed", "not-installed", "not-installed"];
    let there = ["running new", "running -", "running -"];
    walk(
        &t,
        &["install", "manifest.toml"],
        || {
            t.run(&["uninstall", "--all"]).ok();
            assert_eq!(t.machine(), clean);
        },
        &absent,
        &there,
    );
}

#[test]
fn an_update() {
    let Some(t) = Test::live("kill_update") else { return };
    t.write("old.toml", OLD);
    t.manifest(NEW);
    let old = ["running old", "running -", "not-installed"];
    let new = ["running new", "running -", "running -"];
    walk(
        &t,
        &["install", "manifest.toml"],
        || {
            t.manifest(OLD);
            t.run(&["install", "manifest.toml", "--prune"]).ok();
            assert_eq!(state(&t), old);
            t.manifest(NEW);
        },
        &old,
        &new,
    );
}

#[test]
fn an_uninstall() {
    let Some(t) = Test::live("kill_uninstall") else { return };
    let clean = t.machine();
    t.manifest(NEW);
    let old = ["running new", "running -", "running -"];
    let new = ["not-installed", "not-installed", "not-installed"];
    walk(&t, &["uninstall", "manifest.toml"], || drop(t.install().ok()), &old, &new);
    assert_eq!(t.machine(), clean);
}
