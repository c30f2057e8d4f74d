//! Golden folders of launchd (`tests/support/golden.rs`), and what other readers make of what is rendered. `target.json` in
//! a folder changes the scope: `{"scope": "user"}`.
// On Windows a layout joins its paths with backslashes.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use daemonctl::backend::{BackendKind, Body, Hosting, Target};
use daemonctl::facts::Foreign;
use daemonctl::layout::Scope;
use daemonctl::manifest::{self, ResolveDirs};
use daemonctl::service::Service;

#[path = "support/golden.rs"]
mod golden;

fn render(case: &Path) -> golden::Files {
    let scope = if golden::options(case)["scope"] == "user" { Scope::User } else { Scope::System };
    let target = Target::elsewhere(BackendKind::Launchd, scope);
    golden::render(case, &target, golden::why, |files, artifact| {
        let path = artifact.path.to_string_lossy().into_owned();
        files.insert(PathBuf::from(path.trim_start_matches('/')), golden::text(artifact.body));
    })
}

#[test]
fn every_case_renders_what_is_expected() {
    golden::check(BackendKind::Launchd, render);
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
    for case in golden::cases(BackendKind::Launchd) {
        let made = render(&case);
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
    let backend = golden::backend(BackendKind::Launchd);
    let (mut native, mut wanted, mut hosted, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..400 {
        let arguments = texts.new_tree(&mut runner).unwrap().current();
        let listed: Vec<String> = arguments.iter().map(|text| toml(text)).collect();
        let folder = format!("/srv/a{}z", arguments[0].replace('/', "-"));
        let manifest = format!(
            "[service.a]\nexec = [\"/bin/a\", {}]\nenv = {{ A = {} }}\nworking_dir = {}\nlogs = {{ file = {} }}\n",
            listed.join(", "),
            listed[0],
            toml(&folder),
            toml(&format!("{folder}/a.log")),
        );
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
        let Ok(hosting) = golden::hosting(&service, &target) else {
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
            assert_eq!(spec.working_dir.unwrap().to_str().unwrap(), folder);
            hosted += 1;
            continue;
        }
        let list = content(".plist");
        let own: serde_json::Value = plist::from_bytes(list.as_bytes()).unwrap();
        assert_eq!(own["EnvironmentVariables"]["A"], arguments[0], "by the plist crate: {list}");
        native.push(list);
        wanted.push((arguments, folder));
    }
    assert!(native.len() > 50 && hosted + refused > 50, "{} native, {hosted} hosted, {refused} refused", native.len());
    for (list, (wanted, folder)) in plistlib(&native).unwrap_or_default().iter().zip(&wanted) {
        let arguments: Vec<&str> =
            list["ProgramArguments"].as_array().unwrap().iter().skip(1).map(|text| text.as_str().unwrap()).collect();
        assert_eq!(arguments, *wanted);
        assert_eq!(list["EnvironmentVariables"]["A"], wanted[0]);
        assert_eq!(list["WorkingDirectory"], *folder);
        assert_eq!(list["StandardOutPath"], format!("{folder}/a.log"));
    }
}
