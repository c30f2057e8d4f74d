//! Golden folders: `tests/golden/BACKEND/CASE/manifest.toml` in, the artifacts beside it in `expected/` out, each below its
//! path on the target. A case is a folder; no code. What is refused comes out below `refused/`.
//!
//! With `UPDATE_GOLDEN=1` what comes out is written; read the difference before keeping it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use daemonctl::backend::{self, Answer, Artifact, Backend, BackendKind, Body, Hosting, Target};
use daemonctl::facts::Foreign;
use daemonctl::manifest::{self, ResolveDirs};
use daemonctl::service::{HostMode, Service};

/// Files by their path below the target's root.
pub(crate) type Files = BTreeMap<PathBuf, String>;

/// The first key that a backend does not take.
#[allow(dead_code, reason = "the cases of Windows alone tell the remedy")]
pub(crate) struct Refusal {
    pub(crate) key: String,
    pub(crate) why: String,
    pub(crate) remedy: String,
}

pub(crate) fn backend(kind: BackendKind) -> &'static dyn Backend {
    backend::find(kind).unwrap()
}

pub(crate) fn cases(kind: BackendKind) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind.name());
    let mut cases: Vec<PathBuf> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// What a case says of its target, in `target.json`; null: nothing.
#[allow(dead_code, reason = "the cases of Windows say nothing")]
pub(crate) fn options(case: &Path) -> serde_json::Value {
    std::fs::read(case.join("target.json"))
        .map_or(serde_json::Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
}

pub(crate) fn services(case: &Path, target: &Target) -> Vec<Service> {
    let text = std::fs::read(case.join("manifest.toml")).unwrap();
    let parsed =
        manifest::parse(&text, Path::new("manifest.toml")).unwrap_or_else(|e| panic!("{}: {e}", case.display()));
    let folder = if target.os == "windows" { r"C:\srv\manifest" } else { "/srv/manifest" };
    let dirs = ResolveDirs { manifest_dir: folder.into() };
    manifest::resolve(&parsed, target, &Foreign, &dirs).unwrap_or_else(|e| panic!("{}: {e}", case.display()))
}

/// As the command line decides it: the host runs what asks for something that the manager can't do.
pub(crate) fn hosting(service: &Service, target: &Target) -> Result<Hosting, Refusal> {
    let backend = backend(target.backend);
    let hosted = backend.always_hosts() || service.host == HostMode::Always;
    let mut hosting = if hosted { Hosting::Hosted } else { Hosting::Native };
    for key in service.given.keys() {
        match backend.answer(*key, Some(service), target) {
            Answer::Native(_) => {}
            Answer::Host(_) => hosting = Hosting::Hosted,
            Answer::Refused { why, remedy } => {
                assert!(!remedy.is_empty());
                return Err(Refusal { key: key.path().to_owned(), why: why.into(), remedy: remedy.into() });
            }
        }
    }
    Ok(hosting)
}

/// Renders the case; `write` puts an artifact among the files.
pub(crate) fn render(
    case: &Path,
    target: &Target,
    refused: impl Fn(&Service, Refusal) -> (String, String),
    mut write: impl FnMut(&mut Files, Artifact),
) -> Files {
    let mut files = Files::new();
    for service in &services(case, target) {
        match hosting(service, target) {
            Ok(hosting) => {
                for artifact in backend(target.backend).render(service, hosting, target).unwrap() {
                    write(&mut files, artifact);
                }
            }
            Err(refusal) => {
                let (name, text) = refused(service, refusal);
                files.insert(Path::new("refused").join(name), text);
            }
        }
    }
    files
}

/// The usual way to tell of a refused service.
#[allow(dead_code, reason = "the cases of Windows have their own")]
pub(crate) fn why(service: &Service, refusal: Refusal) -> (String, String) {
    let Refusal { key, why, .. } = refusal;
    (service.name.clone(), format!("{key}: {why}\n"))
}

/// What is in it, as text.
pub(crate) fn text(body: Body) -> String {
    match body {
        Body::File { content, .. } => String::from_utf8(content).unwrap(),
        Body::Link { target } => format!("-> {}\n", target.display()),
        Body::Secrets { entries, format } => format!("{format:?} {entries:#?}\n"),
        Body::Scm(_) => panic!("an entry of the service control manager is no file"),
    }
}

fn read(folder: &Path, below: &Path, found: &mut Files) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, below, found);
        } else {
            found.insert(path.strip_prefix(below).unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Every case of a backend comes to what stands beside it.
pub(crate) fn check(kind: BackendKind, render: impl Fn(&Path) -> Files) {
    for case in cases(kind) {
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
        let mut expected = Files::new();
        read(&expected_folder, &expected_folder, &mut expected);
        let name = case.file_name().unwrap().to_string_lossy();
        assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{name}: other files");
        for (path, content) in &made {
            assert_eq!(content, &expected[path], "{name}: {}", path.display());
        }
    }
}
