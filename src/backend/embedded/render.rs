//! A service as files: the spec of each unit, its secrets, and the marker of those that start with the supervisor. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::backend::{Artifact, Body, SecretFormat, Target, signing};
use crate::key::Key;
use crate::service::{LogFile, LogFormat, Secret, Service, Start};

pub(super) fn artifacts(service: &Service, target: &Target) -> Vec<Artifact> {
    service.units().iter().flat_map(|unit| unit_artifacts(unit, target)).collect()
}

/// Whether a unit starts with the supervisor: its marker is there.
pub(crate) fn marker(target: &Target, unit: &str) -> PathBuf {
    target.layout.enabled().join(unit)
}

fn unit_artifacts(unit: &Service, target: &Target) -> Vec<Artifact> {
    let id = unit.id();
    let mut spec = unit.clone();
    let mut artifacts = Vec::new();
    // What a file holds is read from it at each start; the other sources are there only while `install` runs.
    for (name, secret) in &mut spec.security.secrets {
        if matches!(secret, Secret::Env(_) | Secret::Command(_)) {
            let path = target.layout.secrets().join(&id).join(name);
            let source = std::mem::replace(secret, Secret::File(path.clone()));
            let body = Body::Secrets { entries: BTreeMap::from([(name.clone(), source)]), format: SecretFormat::Plain };
            artifacts.push(Artifact { path, body, unit: Some(id.clone()) });
        }
    }
    artifacts.extend(signing::keys(&mut spec, |name| target.layout.secrets().join(&id).join(name)));
    // In the supervisor's own files each line has its time, so that `logs` can merge and search by it.
    let own_file = matches!(unit.logs.file, None | Some(LogFile::Default));
    if own_file && !unit.gives(Key::LogsFormat) {
        spec.logs.format = LogFormat::Timestamped;
    }
    // Where a key stands in the manifest, and when it starts, are no reason to restart a service.
    spec.given.clear();
    spec.start = Start::Manual;
    let mut content = serde_json::to_vec_pretty(&spec).unwrap_or_default();
    content.push(b'\n');
    artifacts.push(Artifact {
        path: target.layout.spec(&id),
        body: Body::File { content, mode: 0o600, definition: true },
        unit: Some(id.clone()),
    });
    let start = match unit.start {
        Start::Boot => Some("boot\n"),
        Start::Delayed => Some("delayed\n"),
        Start::Manual => None,
    };
    if let Some(start) = start {
        artifacts.push(Artifact {
            path: marker(target, &id),
            body: Body::File { content: start.into(), mode: 0o644, definition: false },
            unit: None,
        });
    }
    artifacts
}
