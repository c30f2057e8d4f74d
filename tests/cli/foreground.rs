//! `run`: services in the foreground, with nothing installed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::support::{Test, below, eventually, lives, signal};

fn begin(t: &Test, args: &[&str]) -> Child {
    t.command(&[&["run", "manifest.toml"], args].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn ctrl_c_stops_politely() {
    for how in [Signal::SIGINT, Signal::SIGTERM] {
        let t = Test::home("run");
        t.manifest("[service.a]\nexec = [\"{child}\", \"--pid-file\", \"{dir}/pid\", \"graceful\"]\n");
        let before = below(&t.path("home"));
        let mut child = begin(&t, &[]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("ready") {
            assert_ne!(out.read_line(&mut seen).unwrap(), 0, "it ended:\n{seen}");
        }
        let pid: i32 = std::fs::read_to_string(t.path("pid")).unwrap().trim().parse().unwrap();
        signal(i32::try_from(child.id()).unwrap(), how);
        out.read_to_string(&mut seen).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{seen}");
        assert!(seen.contains("stopping"), "it was not asked politely:\n{seen}");
        assert!(!lives(pid));
        t.run(&["list"]).ok().says("nothing is installed");
        let files = |list: Vec<(std::path::PathBuf, String)>| -> Vec<_> {
            list.into_iter().filter(|(_, text)| text != "folder").collect()
        };
        assert_eq!(files(below(&t.path("home"))), files(before), "nothing must stay behind");
    }
}

#[test]
fn a_service_that_fails_is_exit_code_5() {
    let t = Test::home("run_fails");
    t.manifest("[service.a]\nexec = [\"{child}\", \"--eprint\", \"oh dear\", \"exit\", \"3\"]\nrestart = { policy = \"never\" }\n");
    let ran = t.run(&["run", "manifest.toml"]).exits(5);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("oh dear"), "{ran}");
}

#[test]
fn its_own_exit_code_is_passed_on_where_that_is_asked_for() {
    let t = Test::home("run_code");
    let run = |how: &str, code: i32| {
        t.manifest(&format!("[service.a]\nexec = [\"{{child}}\", {how}]\nrestart = {{ policy = \"never\" }}\n"));
        t.run(&["run", "manifest.toml", "--pass-exit-code"]).exits(code);
    };
    run("\"exit\", \"7\"", 7);
    run("\"crash\", \"KILL\"", 137);
    run("\"exit\", \"0\"", 0);
}

#[test]
fn oneshots_that_are_done_end_it() {
    let t = Test::home("run_done");
    t.manifest("[service.a]\ntype = \"oneshot\"\nexec = [\"{child}\", \"--print\", \"done it\", \"exit\", \"0\"]\n");
    t.run(&["run", "manifest.toml"]).ok().says("done it");
}

#[test]
fn only_some_and_in_order() {
    let t = Test::home("run_some");
    t.manifest(
        "[service.a]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"a\", \"notify\", \"--after\", \"300\"]\nready = { notify = true }\n\
         [service.b]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"b\", \"sleep\"]\nrequires = [\"a\"]\n\
         [service.c]\nexec = [\"{child}\", \"--append\", \"{dir}/log\", \"c\", \"sleep\"]\n",
    );
    let mut child = begin(&t, &["a", "b"]);
    eventually("both are up", || std::fs::read_to_string(t.path("log")).is_ok_and(|text| text == "a\nb\n"));
    signal(i32::try_from(child.id()).unwrap(), Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_to_string(t.path("log")).unwrap(), "a\nb\n");
}

#[test]
fn a_manifest_that_is_wrong() {
    let t = Test::home("run_wrong");
    t.manifest("[service.a]\nexec = [\"{dir}/none\"]\n");
    t.run(&["run", "manifest.toml"]).exits(6).complains("/none");
    t.run(&["run", "manifest.toml", "x"]).complains("manifest.toml");
}
