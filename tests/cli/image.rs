//! `--root DIR`: an image is filled, and emptied again, without a manager and without a look outside.

use std::path::{Path, PathBuf};

use crate::support::{Ran, Test, below};

const TWO: &str = "[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { A = \"b\" }\n\
                   [service.{p}b]\nexec = [\"{child}\", \"sleep\"]\nrequires = [\"{p}a\"]\ninstances = 2\n";

const KINDS: [(&str, &str); 4] =
    [("systemd", "--system"), ("systemd", "--user"), ("embedded", "--system"), ("embedded", "--user")];

/// Everything in the image but daemonctl's own books.
fn content(t: &Test) -> Vec<(PathBuf, String)> {
    let mut found = below(&t.path("image"));
    let books = |path: &Path| path.components().any(|part| part.as_os_str() == "daemonctl");
    let state: Vec<PathBuf> = found.iter().filter(|(path, _)| books(path)).map(|(path, _)| path.clone()).collect();
    found.retain(|(path, _)| {
        *path != t.path("image") && !books(path) && !state.iter().any(|state| state.starts_with(path))
    });
    found
}

#[test]
fn filled_and_emptied() {
    for (backend, scope) in KINDS {
        let t = Test::home("image");
        std::fs::create_dir_all(t.path("image/etc/systemd/system")).unwrap();
        std::fs::write(t.path("image/etc/systemd/system/other.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
        t.manifest(TWO);
        let run = |args: &[&str]| -> Ran { t.run(&[args, &["--root", "image", "--backend", backend, scope]].concat()) };
        let before = content(&t);
        let all = below(&t.dir);
        run(&["plan", "manifest.toml", "--exit-code"]).exits(10);
        assert_eq!(below(&t.dir), all, "a plan must change nothing");
        run(&["install", "manifest.toml"]).ok().says("installed");
        let installed = below(&t.dir);
        let outside: Vec<_> = installed.iter().filter(|(path, _)| !path.starts_with(t.path("image"))).collect();
        let outside_before: Vec<_> = all.iter().filter(|(path, _)| !path.starts_with(t.path("image"))).collect();
        assert_eq!(outside, outside_before, "{backend} {scope}: something was written outside");
        if backend == "systemd" {
            let text = |name: &str| {
                let (path, text) = installed
                    .iter()
                    .find(|(path, text)| path.ends_with(t.fill(name)) && !text.starts_with("-> "))
                    .unwrap_or_else(|| panic!("no {name} in {installed:#?}"));
                assert!(path.starts_with(t.path("image")));
                text
            };
            assert!(text("{p}a.service").contains("ExecStart="));
            assert!(!text("{p}a.service").contains("/image/"), "the image's place must not be in it");
            let link = installed
                .iter()
                .find(|(path, _)| path.to_string_lossy().contains(".wants/") && path.ends_with(t.fill("{p}a.service")));
            assert!(link.is_some_and(|(_, target)| !target.contains("/image/")), "it must be enabled, {link:?}");
        }
        let list = |backend: &str| t.run(&["list", "--root", "image", scope, "--backend", backend]).ok();
        list(backend).says(&t.fill("{p}a"));
        list(if backend == "systemd" { "embedded" } else { "systemd" }).says("nothing is installed");
        run(&["install", "manifest.toml"]).ok().says("unchanged").never_says("installed");
        run(&["plan", "manifest.toml", "--exit-code"]).ok();
        assert_eq!(below(&t.dir), installed, "a second install must change nothing");
        let whole = content(&t);
        run(&["list"]).ok().says(&t.fill("{p}a"));
        run(&["disable", "{p}a"]).ok().says("disabled");
        run(&["enable", "{p}a"]).ok().says("enabled");
        assert_eq!(content(&t), whole);
        for verb in ["start", "stop", "restart", "status", "logs"] {
            let ran = run(&[verb, "{p}a"]).exits(2);
            assert!(format!("{}{}", ran.stdout, ran.stderr).contains("--root"), "{ran}");
        }
        run(&["uninstall", "manifest.toml"]).ok().says("removed");
        assert_eq!(content(&t), before, "{backend} {scope}: the image is not as before");
        run(&["uninstall", "--all"]).ok();
        run(&["list"]).ok().never_says(&t.fill("{p}a"));
    }
}

#[test]
fn from_the_installed_to_the_next() {
    let t = Test::home("image_next");
    let run =
        |args: &[&str]| -> Ran { t.run(&[args, &["--root", "image", "--backend", "systemd", "--system"]].concat()) };
    std::fs::create_dir(t.path("image")).unwrap();
    t.manifest(TWO);
    run(&["install", "manifest.toml"]).ok();
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\nenv = { A = \"c\" }\n");
    let ran = run(&["plan", "manifest.toml", "--prune", "--exit-code"]).exits(10);
    assert!(ran.stdout.contains("A=c") && ran.stdout.contains("A=b"), "a plan shows what changes:\n{ran}");
    run(&["install", "manifest.toml", "--prune"]).ok().says("updated").says("removed");
    let names: Vec<String> = below(&t.path("image/etc")).iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(!names.iter().any(|name| name.contains(&t.fill("{p}b"))), "{names:#?}");
}

#[test]
fn a_root_that_is_missing_or_no_folder() {
    let t = Test::home("image_none");
    t.manifest(TWO);
    t.write("file", "x");
    let ran = t.run(&["install", "manifest.toml", "--root", "file", "--backend", "systemd", "--system"]);
    assert!(ran.code == 1 || ran.code == 2, "{ran}");
    assert!(ran.stderr.contains("file"), "{ran}");
}
