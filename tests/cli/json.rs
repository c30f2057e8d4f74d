//! What `--json` prints fits `daemonctl schema`, key by key.

use serde_json::Value;

use crate::schema::faults;
use crate::support::{Ran, Test};

const TWO: &str = "[service.{p}a]\nexec = [\"{child}\", \"--stay\", \"lines\", \"3\"]\n\
                   ready = { log = \"line 3\" }\nreload = { signal = \"CONT\" }\n\
                   [service.{p}b]\nexec = [\"{child}\", \"exit\", \"3\", \"when\", \"{dir}/end\"]\nrestart = { policy = \"never\" }\n";

#[track_caller]
fn fits(t: &Test, what: &str, ran: &Ran) -> Value {
    let schema = t.run(&["schema", what]).ok().json();
    let value = ran.json();
    let found = faults(&schema, &value, true);
    assert_eq!(found, Vec::<String>::new(), "{ran}");
    assert_eq!(ran.stderr, "", "with --json all is said on standard output:\n{ran}");
    value
}

#[test]
fn each_verb() {
    let t = Test::home("json_verbs");
    t.manifest(TWO);
    let plan = fits(&t, "plan", &t.run(&["plan", "manifest.toml", "--json"]).ok());
    assert_eq!(plan["changes"], true);
    fits(&t, "plan", &t.run(&["install", "manifest.toml", "--dry-run", "--json"]).ok());
    let done = fits(&t, "outcome", &t.run(&["install", "manifest.toml", "--json"]).ok());
    assert_eq!(done["units"].as_array().unwrap().len(), 2);
    assert_eq!(done["units"][0]["effect"], "installed");
    let same = fits(&t, "outcome", &t.run(&["install", "manifest.toml", "--json", "--no-start"]).ok());
    assert_eq!(same["units"][0]["effect"], "unchanged");
    t.write("end", "");
    t.wait_for("{p}b", |status| status["state"] == "failed");
    let told = fits(&t, "status", &t.run(&["status", "--json"]).exits(5));
    assert_eq!(told["exit"], 5);
    fits(&t, "status", &t.run(&["status", "--full", "--json", "{p}a"]).ok());
    fits(&t, "status", &t.run(&["status", "{p}none", "--json"]).exits(4));
    fits(&t, "list", &t.run(&["list", "--json"]).ok());
    for verb in ["reload", "restart", "stop", "start", "disable", "enable"] {
        let done = fits(&t, "outcome", &t.run(&[verb, "{p}a", "--json"]).ok());
        assert_eq!(done["verb"], verb);
    }
    let logs = t.run(&["logs", "{p}a", "--json"]).ok();
    let schema = t.run(&["schema", "logs"]).ok().json();
    assert!(logs.stdout.lines().count() >= 3, "{logs}");
    for line in logs.stdout.lines() {
        assert_eq!(faults(&schema, &serde_json::from_str(line).unwrap(), true), Vec::<String>::new(), "{line}");
    }
    let done = fits(&t, "outcome", &t.run(&["uninstall", "manifest.toml", "--json"]).ok());
    assert_eq!(done["units"][0]["effect"], "removed");
    fits(&t, "outcome", &t.run(&["uninstall", "{p}a", "--json"]).ok());
}

#[test]
fn what_only_looks() {
    let t = Test::home("json_looks");
    t.manifest(TWO);
    fits(&t, "check", &t.run(&["check", "manifest.toml", "--json"]).ok());
    for target in ["systemd", "embedded"] {
        let done = fits(&t, "render", &t.run(&["render", "manifest.toml", "--target", target, "--json"]).ok());
        assert_eq!(done["backend"], target);
        fits(&t, "support", &t.run(&["support", "manifest.toml", "--target", target, "--json"]).ok());
    }
    let told = fits(&t, "render", &t.run(&["render", "manifest.toml", "-o", "rendered", "--json"]).ok());
    assert!(told["folder"].as_str().unwrap().ends_with("rendered") && !told["files"].as_array().unwrap().is_empty());
    fits(&t, "support-all", &t.run(&["support", "--json"]).ok());
    fits(&t, "text", &t.run(&["completions", "bash", "--json"]).ok());
    fits(&t, "text", &t.run(&["man", "install", "--json"]).ok());
    fits(&t, "text", &t.run(&["man", "--dir", "pages", "--json"]).ok());
    fits(&t, "init", &t.run(&["init", "-o", "new.toml", "--json"]).ok());
    fits(&t, "init", &t.run(&["init", "-o", "-", "--json"]).ok());
    fits(&t, "supervise", &t.run(&["supervise", "--stop", "--json"]).ok());
    fits(&t, "supervise", &t.run(&["supervise", "--reexec", "--json"]).ok());
}

#[test]
fn the_foreground_answers_on_standard_output_alone() {
    let t = Test::home("json_run");
    t.manifest("[service.{p}a]\ntype = \"oneshot\"\nexec = [\"{child}\", \"--print\", \"hello\", \"exit\", \"0\"]\n");
    let ran = t.run(&["run", "manifest.toml", "--json"]).ok().complains("hello");
    let schema = t.run(&["schema", "run"]).ok().json();
    assert_eq!(faults(&schema, &ran.json(), true), Vec::<String>::new(), "{ran}");
    assert_eq!(ran.json()["exit"], "done");
}

#[test]
fn every_failure() {
    let t = Test::home("json_errors");
    t.write("bad.toml", "[service.a]\nexce = \"x\"\nexec = 5\n");
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"--eprint\", \"oh dear\", \"exit\", \"3\"]\nrestart = { policy = \"never\" }\n");
    let cases: [(&[&str], i32, &str); 7] = [
        (&["check", "none.toml", "--json"], 6, "manifest"),
        (&["install", "bad.toml", "--json"], 6, "manifest"),
        (&["start", "nobody", "--json"], 4, "not-installed"),
        (&["--json", "bogus"], 2, "usage"),
        (&["--backend", "bogus", "list", "--json"], 2, "usage"),
        (&["install", "--json"], 2, "usage"),
        (&["install", "manifest.toml", "--json"], 1, "failed"),
    ];
    for (args, code, name) in cases {
        let told = fits(&t, "error", &t.run(args).exits(code));
        assert_eq!(told["error"]["code"], code, "{told:#}");
        assert_eq!(told["error"]["exit"], name, "{told:#}");
    }
    let told = t.run(&["install", "manifest.toml", "--json"]).exits(1).json();
    assert!(told["error"]["details"].to_string().contains("oh dear"), "{told:#}");
}

#[test]
fn every_schema_is_one() {
    let t = Test::home("schemas");
    let help = t.run(&["schema", "--help"]).ok().stdout;
    let names: Vec<&str> = help.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split(':').next()).collect();
    assert!(names.len() >= 7, "{help}");
    for name in names {
        let schema = t.run(&["schema", name]).ok().json();
        assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"), "{name}");
        assert_eq!(t.run(&["schema", name, "--json"]).ok().json(), schema);
    }
}
