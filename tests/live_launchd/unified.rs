//! A job that logs natively: `logs` shows what it writes to the unified log, what launchd says of it, and its output.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::{Test, eventually};

fn messages(t: &Test, args: &[&str]) -> Vec<String> {
    let ran = t.run(args).ok();
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn shows_searches_and_follows() {
    let Some(t) = Test::live("unified") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--print\", \"printed\", \"sleep\"]\nlogs = { to = [\"native\"] }\n\
         [service.{p}b]\nexec = [\"{child}\", \"--print\", \"printed\", \"sleep\"]\n",
    );
    t.install().ok();
    assert_eq!(t.status("{p}a")["hosted"], false);
    let say = |service: &str, text: &str| {
        let target = format!("{}/{}", t.domain(), t.label(service));
        t.model().run(&["model", "say", &target, text]).ok();
    };
    say("a", "a \"word\" of its own");
    say("b", "somebody else's");
    eventually("it has printed", || messages(&t, &["logs", "{p}a", "--json"]).contains(&"printed".to_owned()));
    let all = messages(&t, &["logs", "{p}a", "--json"]);
    assert!(all.iter().any(|line| line.starts_with("Successfully spawned")), "{all:?}");
    assert!(all.contains(&"a \"word\" of its own".to_owned()), "{all:?}");
    assert!(!all.contains(&"somebody else's".to_owned()), "the same program in another job: {all:?}");
    assert_eq!(messages(&t, &["logs", "{p}a", "--json", "-n", "2"]), ["a \"word\" of its own", "printed"]);
    assert_eq!(messages(&t, &["logs", "{p}a", "--json", "--grep", "word"]), ["a \"word\" of its own"]);
    let later = messages(&t, &["logs", "{p}a", "--json", "--since", "2100-01-01"]);
    assert_eq!(later, ["printed"], "what a file holds has no time");
    assert_eq!(messages(&t, &["logs", "{p}b", "--json"]), ["printed"], "it was not asked for there");

    let mut follower = t.command(&["logs", "{p}a", "--follow", "-n", "100"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut seen = |text: &str| lines.by_ref().map_while(Result::ok).any(|line| line.contains(text));
    assert!(seen("of its own"));
    assert!(seen("printed"));
    t.run(&["restart", "{p}a"]).ok();
    say("a", "a word of the next one");
    assert!(seen("a word of the next one"), "what the restarted one said never came");
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn a_log_that_cannot_be_read_is_named() {
    let Some(t) = Test::live("unified_fails") else { return };
    t.manifest(
        "[service.{p}a]\nexec = [\"{child}\", \"--print\", \"printed\", \"sleep\"]\nlogs = { to = [\"native\"] }\n",
    );
    t.install().ok();
    eventually("it has printed", || t.run(&["logs", "{p}a"]).stdout.contains("printed"));
    let mut command = t.command(&["logs", "{p}a"]);
    command.env("DAEMONCTL_LOG", "/bin/false");
    let ran = crate::support::Ran::of(command, &["logs"]);
    assert_eq!(ran.code, 1, "{ran}");
    // The files are shown all the same.
    ran.says("printed").complains("the unified log was not read");
}
