//! Golden folders: `tests/golden/systemd/CASE/manifest.toml` in, the artifacts beside it in `expected/` out, each below its path
//! on the target. A case is a folder; no code. `target.json` in it changes the target: `{"scope": "user", "version": 254}`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden_systemd` writes what comes out; read the difference before keeping it.
// On Windows a layout joins its paths with backslashes.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use daemonctl::backend::{self, Answer, BackendKind, Body, Hosting, Target};
use daemonctl::facts::Foreign;
use daemonctl::layout::{Layout, Scope};
use daemonctl::manifest::{self, ResolveDirs};
use daemonctl::service::{HostMode, Service};

fn target(case: &Path) -> Target {
    let options: serde_json::Value = std::fs::read(case.join("target.json"))
        .map_or(serde_json::Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    let user = options["scope"] == "user";
    let mut layout = Layout::unix_system();
    if user {
        layout.scope = Scope::User;
        layout.config = "/home/lab/.config".into();
        layout.state = "/home/lab/.local/state/daemonctl".into();
    }
    Target {
        backend: BackendKind::Systemd,
        os: "linux",
        scope: layout.scope,
        version: options["version"].as_u64().map(|version| u32::try_from(version).unwrap()),
        host_binary: layout.host_binaries().join("daemonctl-0"),
        layout,
        local: false,
        background: false,
    }
}

/// As the command line decides it: the host runs what asks for something that systemd can't do.
fn hosting(service: &Service, target: &Target) -> Result<Hosting, String> {
    let backend = backend::find(BackendKind::Systemd).unwrap();
    let mut hosting = if service.host == HostMode::Always { Hosting::Hosted } else { Hosting::Native };
    for key in service.given.keys() {
        match backend.answer(*key, Some(service), target) {
            Answer::Native(_) => {}
            Answer::Host(_) => hosting = Hosting::Hosted,
            Answer::Refused { why, .. } => return Err(format!("{}: {why}", key.path())),
        }
    }
    Ok(hosting)
}

fn render(case: &Path) -> BTreeMap<PathBuf, String> {
    let text = std::fs::read(case.join("manifest.toml")).unwrap();
    let target = target(case);
    let parsed =
        manifest::parse(&text, Path::new("manifest.toml")).unwrap_or_else(|e| panic!("{}: {e:?}", case.display()));
    let dirs = ResolveDirs { manifest_dir: "/srv/manifest".into() };
    let services =
        manifest::resolve(&parsed, &target, &Foreign, &dirs).unwrap_or_else(|e| panic!("{}: {e:?}", case.display()));
    let backend = backend::find(BackendKind::Systemd).unwrap();
    let mut files = BTreeMap::new();
    for service in &services {
        let hosting = match hosting(service, &target) {
            Ok(hosting) => hosting,
            Err(why) => {
                files.insert(PathBuf::from(format!("refused/{}", service.name)), format!("{why}\n"));
                continue;
            }
        };
        for artifact in backend.render(service, hosting, &target).unwrap() {
            let content = match artifact.body {
                Body::File { content, .. } => String::from_utf8(content).unwrap(),
                Body::Link { target } => format!("-> {}\n", target.display()),
                Body::Secrets { entries, format } => format!("{format:?} {entries:#?}\n"),
                Body::Scm(config) => config.to_string(),
            };
            // Windows, where the tests are checked out as well, has no colon in names.
            let path = artifact.path.to_string_lossy().replace(':', "%3A");
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

#[test]
fn every_case_renders_what_is_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/systemd");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
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
