//! `logs` shows what a service wrote, in order.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Test, eventually};

#[test]
fn the_last_lines_and_a_search() {
    let Some(t) = Test::live("log_lines") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"--stay\", \"lines\", \"50\"]\n");
    t.install().ok();
    let all = |t: &Test| t.run(&["logs", "{p}a", "--json"]).stdout.lines().count();
    eventually("all the lines are there", || all(&t) >= 50);
    let ran = t.run(&["logs", "{p}a", "-n", "3"]).ok();
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("49") || line.contains("50")).collect();
    assert!(!lines.is_empty() && ran.stdout.lines().count() <= 4, "{ran}");
    let ran = t.run(&["logs", "{p}a", "--grep", "17"]).ok();
    assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
}

#[test]
fn follow_goes_on_across_a_restart() {
    let Some(t) = Test::live("log_follow") else { return };
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"--print\", \"here I am\", \"sleep\"]\n");
    t.install().ok();
    let mut follower = t.command(&["logs", "{p}a", "--follow", "-n", "100"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut seen = || lines.by_ref().map_while(Result::ok).find(|line| line.contains("here I am"));
    assert!(seen().is_some());
    t.run(&["restart", "{p}a"]).ok();
    assert!(seen().is_some(), "the restarted service's line never came");
    follower.kill().unwrap();
    follower.wait().unwrap();
}
