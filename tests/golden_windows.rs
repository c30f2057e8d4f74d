//! Golden folders: `tests/golden/windows/CASE/manifest.toml` in, the artifacts beside it in `expected/` out, each below its path
//! on the target; what the service control manager keeps as text (`.txt`) and as JSON. A case is a folder; no code.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden_windows` writes what comes out; read the difference before keeping it.
// On Windows a layout joins its paths with backslashes.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use daemonctl::backend::{self, Answer, Backend, BackendKind, Body, Hosting, Target};
use daemonctl::facts::Foreign;
use daemonctl::key::Key;
use daemonctl::layout::{Scope, without_root};
use daemonctl::manifest::{self, ResolveDirs};
use daemonctl::service::Service;

fn windows() -> &'static dyn Backend {
    backend::find(BackendKind::Windows).unwrap()
}

fn target() -> Target {
    Target::elsewhere(BackendKind::Windows, Scope::System)
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/windows");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn services(case: &Path) -> Vec<Service> {
    let text = std::fs::read(case.join("manifest.toml")).unwrap();
    let parsed =
        manifest::parse(&text, Path::new("manifest.toml")).unwrap_or_else(|e| panic!("{}: {e}", case.display()));
    let dirs = ResolveDirs { manifest_dir: r"C:\srv\manifest".into() };
    manifest::resolve(&parsed, &target(), &Foreign, &dirs).unwrap_or_else(|e| panic!("{}: {e}", case.display()))
}

/// Why a service is refused, with what to write instead.
fn refused(service: &Service) -> Option<String> {
    service.given.keys().find_map(|key| match windows().answer(*key, Some(service), &target()) {
        Answer::Refused { why, remedy } => Some(format!("{}: {why}\n{remedy}\n", key.path())),
        Answer::Native(_) | Answer::Host(_) => None,
    })
}

fn render(case: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for service in services(case) {
        if let Some(why) = refused(&service) {
            files.insert(PathBuf::from(format!("refused/{}.txt", service.name)), why);
            continue;
        }
        for artifact in windows().render(&service, Hosting::Hosted, &target()).unwrap() {
            let path = without_root(&artifact.path).to_string_lossy().replace('\\', "/");
            match artifact.body {
                Body::File { content, .. } => drop(files.insert(path.into(), String::from_utf8(content).unwrap())),
                Body::Secrets { entries, format } => {
                    files.insert(path.into(), format!("{format:?} {entries:#?}\n"));
                }
                Body::Scm(config) => {
                    files.insert(format!("{path}.txt").into(), config.to_string());
                    let json = serde_json::to_string_pretty(&config).unwrap() + "\n";
                    files.insert(format!("{path}.json").into(), json);
                    // What was written down is what comes back from a receipt.
                    assert_eq!(
                        serde_json::from_str::<backend::windows::config::ScmConfig>(&json_of(&files, &path)).unwrap(),
                        *config
                    );
                }
                Body::Link { .. } => panic!("Windows has no links"),
            }
        }
    }
    files
}

fn json_of(files: &BTreeMap<PathBuf, String>, path: &str) -> String {
    files[Path::new(&format!("{path}.json"))].clone()
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

#[test]
fn every_case_renders_what_is_expected() {
    for case in cases() {
        let expected_folder = case.join("expected");
        let made = render(&case);
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

#[test]
fn every_key_has_a_case() {
    let given: BTreeSet<Key> =
        cases().iter().flat_map(|case| services(case)).flat_map(|s| s.given.into_keys()).collect();
    let missing: Vec<_> = Key::ALL.iter().filter(|key| !given.contains(key)).map(|key| key.path()).collect();
    assert!(missing.is_empty(), "no golden case of Windows gives {missing:?}");
}

#[test]
fn every_key_of_the_windows_table_has_a_case() {
    let schema = manifest::schema();
    let native = schema.pointer("/$defs/service/properties/windows/properties").unwrap().as_object().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/windows/native");
    let table = &services(&root)[0].native;
    let missing: Vec<_> = native.keys().filter(|key| table.get(key.as_str()).is_none()).collect();
    assert!(native.len() > 10 && missing.is_empty(), "{missing:?}");
}
