//! What a wrong manifest is answered with: `golden/manifest-errors/<case>/manifest.toml` gives `expected.txt`, word for word.
//!
//! A new case needs no code: add the folder and run with `UPDATE_GOLDEN=1`, then read what was written. The manifests are
//! resolved for systemd in system scope on Linux unless the first line says `# target: BACKEND OS SCOPE`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::fs;
use std::path::{Path, PathBuf};

use daemonctl::backend::{BackendKind, Target};
use daemonctl::facts::{Facts, PathKind};
use daemonctl::layout::{Layout, Scope};
use daemonctl::manifest::{ManifestErrors, ResolveDirs, parse, resolve};

/// A machine with nothing on it but one variable.
struct Empty;

impl Facts for Empty {
    fn env(&self, name: &str) -> Option<String> {
        (name == "NEWLINE").then(|| "a\nb".to_owned())
    }
    fn path(&self, _: &Path) -> Option<PathKind> {
        None
    }
    fn open_to_all(&self, _: &Path) -> Option<bool> {
        None
    }
    fn program(&self, _: &str) -> Option<PathBuf> {
        None
    }
    fn user_exists(&self, _: &str) -> Option<bool> {
        None
    }
    fn group_exists(&self, _: &str) -> Option<bool> {
        None
    }
    fn local(&self) -> bool {
        false
    }
}

fn target(text: &[u8]) -> Target {
    let first = text.split(|byte| *byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
    let words: Vec<&str> =
        first.and_then(|line| line.strip_prefix("# target: ")).unwrap_or("systemd linux system").split(' ').collect();
    let (os, scope) = match words[1..] {
        ["linux", scope] => ("linux", scope),
        ["windows", scope] => ("windows", scope),
        _ => panic!("a target is BACKEND OS SCOPE"),
    };
    Target {
        backend: BackendKind::from_name(words[0]).expect("a backend's name"),
        os,
        scope: if scope == "user" { Scope::User } else { Scope::System },
        version: None,
        layout: Layout::unix_system(),
        local: false,
        background: false,
        host_binary: "/usr/bin/daemonctl".into(),
    }
}

fn errors(text: &[u8]) -> Option<ManifestErrors> {
    let dirs = ResolveDirs { manifest_dir: "/srv/app".into() };
    parse(text, Path::new("manifest.toml")).and_then(|manifest| resolve(&manifest, &target(text), &Empty, &dirs)).err()
}

#[test]
fn every_wrong_manifest_gets_its_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/manifest-errors");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read(case.join("manifest.toml")).unwrap();
        let Some(errors) = errors(&text) else {
            wrong.push(format!("{name}: nothing is wrong with it"));
            continue;
        };
        let rendered = format!("{errors}\n");
        let json = errors.json();
        assert_eq!(json.len(), errors.errors().len());
        assert!(json.iter().all(|error| error.line > 0 && error.column > 0), "{name}");
        // Told what is wrong and not what to do: half an answer.
        for error in errors.errors() {
            if error.hint.is_none() && error.expected.is_none() {
                wrong.push(format!("{name}: `{}` has no remedy", error.message));
            }
        }
        assert!(!errors.render(true).is_empty());
        let path = case.join("expected.txt");
        if update {
            fs::write(&path, &rendered).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != rendered {
            wrong.push(format!("{name}:\n{rendered}"));
        }
    }
    assert!(cases.len() >= 50, "where are the cases?");
    assert!(wrong.is_empty(), "other than expected:\n{}", wrong.join("\n"));
}
