//! What stands in a rendered unit is what systemd's own parser reads: hostile values go through `systemd-analyze verify`, which
//! prints each command line as it understood it and complains about everything it would drop.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use daemonctl::backend::{self, BackendKind, Body, Hosting, Target};
use daemonctl::layout::Scope;
use daemonctl::service::{EnvFile, LogFile, Service};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Units in one call of the parser.
const UNITS: usize = 150;

fn target() -> Target {
    Target {
        local: true,
        host_binary: PathBuf::from("/bin/true"),
        ..Target::elsewhere(BackendKind::Systemd, Scope::System)
    }
}

fn service(name: &str) -> Service {
    let manifest = format!("[service.{name}]\nexec = [\"/bin/true\"]\n");
    let manifest = daemonctl::manifest::parse(manifest.as_bytes(), Path::new("test.toml")).expect("it is valid");
    let dirs = daemonctl::manifest::ResolveDirs { manifest_dir: "/".into() };
    let mut services =
        daemonctl::manifest::resolve(&manifest, &target(), &daemonctl::facts::Foreign, &dirs).expect("it is valid");
    services.remove(0)
}

/// A folder of its own, gone at the end.
fn stage(services: &[Service]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let backend = backend::find(BackendKind::Systemd).unwrap();
    for service in services {
        for artifact in backend.render(service, Hosting::Native, &target()).unwrap() {
            if let Body::File { content, definition: true, .. } = &artifact.body {
                std::fs::write(folder.path().join(artifact.path.file_name().unwrap()), content).unwrap();
            }
        }
    }
    folder
}

/// The parser's words about the units; None: it is not on this machine.
fn verify(folder: &Path) -> Option<String> {
    let units: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(units)
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .output();
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => {
            eprintln!("skipped: systemd-analyze: {error}");
            None
        }
    }
}

fn accepted(services: &[Service]) {
    let folder = stage(services);
    let Some(words) = verify(folder.path()) else { return };
    let ours: Vec<&str> = words
        .lines()
        .filter(|line| line.contains(&*folder.path().to_string_lossy()) || line.contains("hostile"))
        .collect();
    assert!(ours.is_empty(), "systemd complains:\n{}", ours.join("\n"));
}

const WORDS: &[&str] = &[
    "",
    " ",
    "  two  ",
    "a b",
    "\"",
    "'",
    "\\",
    "\\\\",
    "end\\",
    "$HOME",
    "${HOME}",
    "$$",
    "$",
    "%",
    "%n",
    "%%",
    "100%",
    ";",
    ";;",
    "a;b",
    "\\;",
    "#",
    "#a",
    "~",
    "*",
    "\t",
    "a\tb",
    "l1\nl2",
    "\n",
    "\r",
    "\u{7f}",
    "\u{1b}[0m",
    "ünï",
    "🦀",
    "-",
    "--",
    "@",
    "!",
    "+x",
    "a\"b'c\\d$e%f;g#h",
    "\\x20",
    "\\n",
    "\\s",
    "=",
    "a=b",
    "[Service]",
    "$MAINPID",
    "\u{85}",
    "\u{2028}",
];

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(WORDS).prop_map(str::to_owned),
        "[ -~]{0,24}",
        proptest::collection::vec(proptest::sample::select(WORDS), 1..5).prop_map(|words| words.concat()),
        "\\PC{0,12}",
    ]
}

#[test]
fn argv_and_environment_are_accepted() {
    let mut runner = TestRunner::deterministic();
    let argv = proptest::collection::vec(hostile(), 0..8);
    let values = proptest::collection::vec(hostile(), 0..6);
    let services: Vec<Service> = (0..UNITS)
        .map(|n| {
            let mut service = service(&format!("hostile{n}"));
            service.exec.extend(argv.new_tree(&mut runner).unwrap().current());
            service.description = hostile().new_tree(&mut runner).unwrap().current();
            let values = values.new_tree(&mut runner).unwrap().current();
            service.env = values
                .into_iter()
                .enumerate()
                .map(|(n, value)| {
                    // systemd takes no other control characters in a variable; the host does.
                    let value = value.replace(|c: char| c.is_ascii_control() && c != '\t' && c != '\n', "");
                    (format!("V{n}"), value)
                })
                .collect::<BTreeMap<_, _>>();
            service
        })
        .collect();
    accepted(&services);
}

#[test]
fn four_kilobytes_are_accepted() {
    let mut long = service("hostile-long");
    long.exec.push("x\"\\$% ".repeat(700));
    long.env.insert("LONG".to_owned(), "y'\\$% \n".repeat(600));
    accepted(&[long]);
}

#[test]
fn paths_are_accepted() {
    let mut runner = TestRunner::deterministic();
    let services: Vec<Service> = (0..UNITS)
        .map(|n| {
            let mut path = || {
                let name = hostile().new_tree(&mut runner).unwrap().current();
                let name: String = name.replace(['\n', '\r', '/', '\0'], "");
                PathBuf::from(format!("/srv/{n}-{name}"))
            };
            let mut service = service(&format!("hostile{n}"));
            service.working_dir = Some(path());
            service.env_files = vec![EnvFile { path: path(), optional: true }];
            service.security.read_write = vec![path(), path()];
            service.logs.native = false;
            service.logs.file = Some(LogFile::Apart { stdout: path(), stderr: path() });
            service
        })
        .collect();
    accepted(&services);
}

/// Were the quoting wrong, this test would see it: unquoted, the same words are refused.
#[test]
fn the_parser_does_complain() {
    let folder = stage(&[service("hostile")]);
    let path = folder.path().join("hostile.service");
    let unit = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, unit.replace("ExecStart=/bin/true", "ExecStart=/bin/true \"")).unwrap();
    let Some(words) = verify(folder.path()) else { return };
    assert!(words.contains("Unbalanced quoting"), "{words}");
}
