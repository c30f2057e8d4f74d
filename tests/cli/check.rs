//! `check` shows everything that is wrong at once, and `support` how each key is met.

use crate::support::Test;

#[test]
fn all_errors_at_once() {
    let t = Test::home("check_all");
    t.write(
        "bad.toml",
        "[service.a]\nexce = \"x\"\nrestart = { polcy = \"always\", delay = 5 }\n[service.b]\nexec = \"/bin/sh\"\nafter = [\"c\"]\n[service.\"x/y\"]\nexec = \"/bin/sh\"\n",
    );
    let ran = t.run(&["check", "bad.toml"]).exits(6);
    for said in ["bad.toml:2:1", "`exec`", "`policy`", "`delay`", "x/y"] {
        assert!(ran.stderr.contains(said), "{said} is not in\n{ran}");
    }
    assert!(ran.stderr.matches("error:").count() >= 4, "{ran}");
    let json = t.run(&["check", "bad.toml", "--json"]).exits(6).json();
    assert!(json["error"]["message"].as_str().unwrap().contains("bad.toml"), "{json:#}");
    let faults = json["error"]["manifest"].as_array().unwrap();
    assert_eq!(faults.len(), ran.stderr.matches("error:").count(), "{json:#}");
    let first = &faults[0];
    assert_eq!((&first["file"], &first["line"], &first["column"]), (&"bad.toml".into(), &2.into(), &1.into()));
    assert!(first.to_string().contains("`exec`"), "the nearest key is named: {first:#}");
}

#[test]
fn all_that_is_missing_on_the_machine_at_once() {
    let t = Test::home("check_machine");
    t.write(
        "bad.toml",
        "[service.a]\nexec = [\"{dir}/none\"]\nworking_dir = \"{dir}/nowhere\"\nenv_file = [\"{dir}/no.env\"]\n\
         [service.b]\nexec = [\"{dir}\"]\n[service.c]\nexec = [\"no-such-program-here\"]\n",
    );
    let ran = t.run(&["check", "bad.toml"]).exits(6);
    for said in ["/none` does not exist", "/nowhere", "/no.env", "is a folder", "no-such-program-here"] {
        assert!(ran.stderr.contains(said), "{said} is not in\n{ran}");
    }
    assert_eq!(ran.stderr.matches("error:").count(), 5, "{ran}");
    assert_eq!(ran.stderr.matches("help:").count(), 5, "each with its remedy:\n{ran}");
}

#[test]
fn a_good_one() {
    let t = Test::home("check_good");
    t.manifest("[service.{p}a]\nexec = [\"{child}\"]\n");
    t.run(&["check", "manifest.toml"]).ok().says("ok").says(&t.fill("{p}a"));
}

#[test]
fn support() {
    let t = Test::home("support");
    let ran = t.run(&["support"]).ok().says("exec").says("systemd").says("embedded").says("native");
    let keys = ran.stdout.lines().count();
    assert!(keys > 100, "every key on every backend:\n{ran}");
    t.manifest("[service.{p}a]\nexec = [\"{child}\"]\nsystemd = { Service = { IOWeight = 50 } }\n");
    t.run(&["support", "manifest.toml", "--target", "systemd"]).ok().says("native").says("3:1");
    let ran = t.run(&["support", "manifest.toml", "--target", "embedded"]);
    assert_eq!(ran.code == 6, ran.stdout.contains("refused"), "{ran}");
}
