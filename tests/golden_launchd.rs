//! Golden folders: `tests/golden/launchd/CASE/manifest.toml` in, the artifacts beside it in `expected/` out, each below its path
//! on the target. A case is a folder; no code. `target.json` in it changes the scope: `{"scope": "user"}`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden_launchd` writes what comes out; read the difference before keeping it.
// On Windows a layout joins its paths with backslashes.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use daemonctl::backend::{self, Answer, BackendKind, Body, Hosting, Target};
use daemonctl::facts::Foreign;
use daemonctl::layout::Scope;
use daemonctl::manifest::{self, ResolveDirs};
use daemonctl::service::{HostMode, Service};

/// As the command line decides it: the host runs what asks for something that launchd can't do.
fn hosting(service: &Service, target: &Target) -> Result<Hosting, String> {
    let backend = backend::find(BackendKind::Launchd).unwrap();
    let mut hosting = if service.host == HostMode::Always { Hosting::Hosted } else { Hosting::Native };
    for key in service.given.keys() {
        match backend.answer(*key, Some(service), target) {
            Answer::Native(_) => {}
            Answer::Host(_) => hosting = Hosting::Hosted,
            Answer::Refused { why, remedy } => {
                assert!(!remedy.is_empty());
                return Err(format!("{}: {why}", key.path()));
            }
        }
    }
    Ok(hosting)
}

fn services(text: &[u8], target: &Target) -> Vec<Service> {
    let parsed = manifest::parse(text, Path::new("manifest.toml")).unwrap_or_else(|e| panic!("{e:?}"));
    let dirs = ResolveDirs { manifest_dir: "/srv/manifest".into() };
    manifest::resolve(&parsed, target, &Foreign, &dirs).unwrap_or_else(|e| panic!("{e:?}"))
}

fn render(text: &[u8], target: &Target) -> BTreeMap<PathBuf, String> {
    let backend = backend::find(BackendKind::Launchd).unwrap();
    let mut files = BTreeMap::new();
    for service in &services(text, target) {
        let hosting = match hosting(service, target) {
            Ok(hosting) => hosting,
            Err(why) => {
                files.insert(PathBuf::from(format!("refused/{}", service.name)), format!("{why}\n"));
                continue;
            }
        };
        for artifact in backend.render(service, hosting, target).unwrap() {
            let content = match artifact.body {
                Body::File { content, .. } => String::from_utf8(content).unwrap(),
                Body::Link { target } => format!("-> {}\n", target.display()),
                Body::Secrets { entries, format } => format!("{format:?} {entries:#?}\n"),
                Body::Scm(_) => panic!("the SCM is not of macOS"),
            };
            let path = artifact.path.to_string_lossy().into_owned();
            files.insert(PathBuf::from(path.trim_start_matches('/')), content);
        }
    }
    files
}

fn read(folder: &Path, below: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, below, found);
        } else {
            found.insert(path.strip_prefix(below).unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn cases() -> Vec<(PathBuf, Target)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/launchd");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
        .into_iter()
        .map(|case| {
            let options: serde_json::Value = std::fs::read(case.join("target.json"))
                .map_or(serde_json::Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
            let scope = if options["scope"] == "user" { Scope::User } else { Scope::System };
            (case, Target::elsewhere(BackendKind::Launchd, scope))
        })
        .collect()
}

#[test]
fn every_case_renders_what_is_expected() {
    for (case, target) in cases() {
        let expected_folder = case.join("expected");
        let made = render(&std::fs::read(case.join("manifest.toml")).unwrap(), &target);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let _ = std::fs::remove_dir_all(&expected_folder);
            for (path, content) in &made {
                let path = expected_folder.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            continue;
        }
        let mut expected = BTreeMap::new();
        read(&expected_folder, &expected_folder, &mut expected);
        let name = case.file_name().unwrap().to_string_lossy();
        assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}: other files");
        for (path, content) in &made {
            assert_eq!(content, &expected[path], "{name}: {}", path.display());
        }
    }
}

/// What Python's plistlib, a reader that nobody here wrote, makes of property lists: each as JSON. None: no Python.
fn plistlib(lists: &[String]) -> Option<Vec<serde_json::Value>> {
    let script = "import json, plistlib, sys\n\
                  lists = json.load(sys.stdin)\n\
                  json.dump([plistlib.loads(text.encode('utf-8')) for text in lists], sys.stdout)";
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| eprintln!("skipped: no python3 here ({error})"))
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let input = serde_json::to_vec(lists).unwrap();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "plistlib does not take what was rendered");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn python_reads_every_property_list() {
    let mut lists = Vec::new();
    for (case, target) in cases() {
        let made = render(&std::fs::read(case.join("manifest.toml")).unwrap(), &target);
        lists.extend(made.into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "plist")));
    }
    assert!(lists.len() > 10);
    let texts: Vec<String> = lists.iter().map(|(_, text)| text.clone()).collect();
    for ((path, _), list) in lists.iter().zip(plistlib(&texts).unwrap_or_default()) {
        let label = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(list["Label"], label);
        assert!(list["ExitTimeOut"].as_i64().is_some_and(|seconds| seconds > 0), "{label}");
        assert!(list["SoftResourceLimits"]["NumberOfFiles"].is_i64(), "{label}");
    }
}

/// A text of the manifest, each character by its number, so that none means anything to TOML.
fn toml(text: &str) -> String {
    use std::fmt::Write as _;
    let escaped = text.chars().fold(String::new(), |mut escaped, c| {
        // A dollar would begin an interpolation.
        let _ = write!(escaped, "\\U{:08X}", u32::from(c));
        if c == '$' {
            escaped.push('$');
        }
        escaped
    });
    format!("\"{escaped}\"")
}

/// Whatever a text holds, the program is given it as it is, by launchd or by the host; or the manifest is refused, and
/// the place of it is told.
#[test]
fn hostile_texts_come_back_equal_or_are_refused() {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;
    let hostile = "[ -~\t\n\r<>&'\"$\\{\\}\u{0}-\u{1f}\u{7f}-\u{a0}üß🦀\u{2028}\u{fffd}\u{ffff}\u{10ffff}]{0,12}|\\]\\]>|<!--|%s| *";
    let texts = proptest::collection::vec(hostile, 1..6);
    let mut runner = TestRunner::deterministic();
    let target = Target::elsewhere(BackendKind::Launchd, Scope::System);
    let backend = backend::find(BackendKind::Launchd).unwrap();
    let (mut native, mut wanted, mut hosted, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..400 {
        let arguments = texts.new_tree(&mut runner).unwrap().current();
        let listed: Vec<String> = arguments.iter().map(|text| toml(text)).collect();
        let manifest =
            format!("[service.a]\nexec = [\"/bin/a\", {}]\nenv = {{ A = {} }}\n", listed.join(", "), listed[0]);
        let dirs = ResolveDirs { manifest_dir: "/srv/manifest".into() };
        let resolved = manifest::parse(manifest.as_bytes(), Path::new("manifest.toml"))
            .and_then(|parsed| manifest::resolve(&parsed, &target, &Foreign, &dirs));
        let service = match resolved {
            Ok(mut services) => services.remove(0),
            Err(errors) => {
                assert!(errors.to_string().contains("manifest.toml:"), "no place is told: {errors}");
                refused += 1;
                continue;
            }
        };
        assert_eq!(service.exec[1..], arguments);
        let Ok(hosting) = hosting(&service, &target) else {
            refused += 1;
            continue;
        };
        let artifacts = backend.render(&service, hosting, &target).unwrap();
        let content = |end: &str| {
            let artifact = artifacts.iter().find(|artifact| artifact.path.to_string_lossy().ends_with(end)).unwrap();
            let Body::File { content, .. } = &artifact.body else { panic!("no file") };
            String::from_utf8(content.clone()).unwrap()
        };
        if hosting == Hosting::Hosted {
            let spec: Service = serde_json::from_str(&content(".json")).unwrap();
            assert_eq!(spec.exec[1..], arguments);
            assert_eq!(spec.env["A"], arguments[0]);
            hosted += 1;
            continue;
        }
        let list = content(".plist");
        let own: serde_json::Value = plist::from_bytes(list.as_bytes()).unwrap();
        assert_eq!(own["EnvironmentVariables"]["A"], arguments[0], "by the plist crate: {list}");
        native.push(list);
        wanted.push(arguments);
    }
    assert!(native.len() > 50 && hosted + refused > 50, "{} native, {hosted} hosted, {refused} refused", native.len());
    for (list, wanted) in plistlib(&native).unwrap_or_default().iter().zip(&wanted) {
        let arguments: Vec<&str> =
            list["ProgramArguments"].as_array().unwrap().iter().skip(1).map(|text| text.as_str().unwrap()).collect();
        assert_eq!(arguments, *wanted);
        assert_eq!(list["EnvironmentVariables"]["A"], wanted[0]);
    }
}
