//! Golden folders of Windows (`tests/support/golden.rs`); what the service control manager keeps comes out as text (`.txt`)
//! and as JSON.
// On Windows a layout joins its paths with backslashes.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::collections::BTreeSet;
use std::path::Path;

use daemonctl::backend::windows::config::ScmConfig;
use daemonctl::backend::{Artifact, BackendKind, Body, Target};
use daemonctl::key::Key;
use daemonctl::layout::{Scope, without_root};
use daemonctl::manifest;

#[path = "support/golden.rs"]
mod golden;

fn target() -> Target {
    Target::elsewhere(BackendKind::Windows, Scope::System)
}

fn write(files: &mut golden::Files, artifact: Artifact) {
    let path = without_root(&artifact.path).to_string_lossy().replace('\\', "/");
    match artifact.body {
        Body::Scm(config) => {
            let json = serde_json::to_string_pretty(&config).unwrap() + "\n";
            // What was written down is what comes back from a receipt.
            assert_eq!(serde_json::from_str::<ScmConfig>(&json).unwrap(), *config);
            files.insert(format!("{path}.txt").into(), config.to_string());
            files.insert(format!("{path}.json").into(), json);
        }
        Body::Link { .. } => panic!("Windows has no links"),
        body => drop(files.insert(path.into(), golden::text(body))),
    }
}

#[test]
fn every_case_renders_what_is_expected() {
    golden::check(BackendKind::Windows, |case| {
        let why = |service: &daemonctl::service::Service, refusal: golden::Refusal| {
            let golden::Refusal { key, why, remedy } = refusal;
            (format!("{}.txt", service.name), format!("{key}: {why}\n{remedy}\n"))
        };
        golden::render(case, &target(), why, write)
    });
}

#[test]
fn every_key_has_a_case() {
    let given: BTreeSet<Key> = golden::cases(BackendKind::Windows)
        .iter()
        .flat_map(|case| golden::services(case, &target()))
        .flat_map(|s| s.given.into_keys())
        .collect();
    let missing: Vec<_> = Key::ALL.iter().filter(|key| !given.contains(key)).map(|key| key.path()).collect();
    assert!(missing.is_empty(), "no golden case of Windows gives {missing:?}");
}

#[test]
fn every_key_of_the_windows_table_has_a_case() {
    let schema = manifest::schema();
    let native = schema.pointer("/$defs/service/properties/windows/properties").unwrap().as_object().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/windows/native");
    let table = &golden::services(&root, &target())[0].native;
    let missing: Vec<_> = native.keys().filter(|key| table.get(key.as_str()).is_none()).collect();
    assert!(native.len() > 10 && missing.is_empty(), "{missing:?}");
}
