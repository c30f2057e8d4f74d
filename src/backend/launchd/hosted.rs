//! A job that daemonctl's host runs: launchd looks after the host, the host after the program.
//!
//! Its property list has only fixed arguments and no text of the user's, so that `launchctl print` of it can always be
//! read. The host ends with 0 when it was told to, and when it has given up (`--end-well`); launchd, which knows only
//! `SuccessfulExit`, starts it again after anything else, and it adopts what it left behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::backend::{Artifact, Body, SecretFormat, Target, signing};
use crate::key::Key;
use crate::layout::Scope;
use crate::service::{Hook, LogFile, LogFormat, Secret, Service};

/// What the host may need beyond the sum of its waits.
const MARGIN: Duration = Duration::from_secs(10);

/// The host's command line.
pub(super) fn argv(unit: &Service, target: &Target) -> Vec<String> {
    let scope = match target.scope {
        Scope::System => "--system",
        Scope::User => "--user",
    };
    vec![
        target.host_binary.to_string_lossy().into_owned(),
        "host".to_owned(),
        scope.to_owned(),
        "--end-well".to_owned(),
        "--spec".to_owned(),
        target.layout.spec(&unit.id()).to_string_lossy().into_owned(),
    ]
}

/// Where the host's own words go. It is small: the program's output is the host's to write.
pub(super) fn own_log(unit: &Service, target: &Target) -> PathBuf {
    target.layout.logs_of(&unit.id()).join("host.log")
}

/// The service as a file for the host, and the files of its secrets.
pub(super) fn artifacts(unit: &Service, target: &Target) -> Vec<Artifact> {
    let id = unit.id();
    let mut spec = unit.clone();
    let mut made = Vec::new();
    // What a file holds is read from it at each start; the other sources are there only while `install` runs.
    for (name, secret) in &mut spec.security.secrets {
        if matches!(secret, Secret::Env(_) | Secret::Command(_)) {
            let path = target.layout.secrets().join(&id).join(name);
            let source = std::mem::replace(secret, Secret::File(path.clone()));
            let body = Body::Secrets { entries: BTreeMap::from([(name.clone(), source)]), format: SecretFormat::Plain };
            made.push(Artifact { path, body, unit: Some(id.clone()) });
        }
    }
    let folder = target.layout.secrets().join(&id);
    made.extend(signing::keys(&mut spec, |name| folder.join(name)));
    // launchd takes no lines: what the host would pass on goes to its own files.
    spec.logs.native = false;
    if spec.logs.file.is_none() {
        spec.logs.file = Some(LogFile::Default);
    }
    // In the host's own files each line has its time, so that `logs` can merge and search by it.
    if spec.logs.file == Some(LogFile::Default) && !unit.gives(Key::LogsFormat) {
        spec.logs.format = LogFormat::Timestamped;
    }
    // Where a key stands in the manifest is nothing to the host: moving a line must not restart a service.
    spec.given.clear();
    spec.native = serde_json::Value::Null;
    let mut content = serde_json::to_vec_pretty(&spec).unwrap_or_default();
    content.push(b'\n');
    let body = Body::File { content, mode: 0o600, definition: false };
    made.push(Artifact { path: target.layout.spec(&id), body, unit: Some(id) });
    made
}

fn total(hooks: &[Hook]) -> Duration {
    hooks.iter().map(|hook| hook.timeout).sum()
}

/// Longer than everything the host may wait for before the service is ready.
#[cfg(unix)]
pub(super) fn start_timeout(service: &Service) -> Duration {
    let waits: Duration = service.wait_for.iter().map(|wait| wait.timeout).sum();
    let ready = service.ready.as_ref().map_or(Duration::ZERO, |ready| ready.timeout);
    waits + total(&service.hooks.pre_start) + ready + total(&service.hooks.post_start) + MARGIN
}

/// Longer than the host's whole ladder.
pub(super) fn stop_timeout(service: &Service) -> Duration {
    let rungs = if service.stop.command.is_some() { 2 } else { 1 };
    total(&service.hooks.pre_stop) + service.stop.timeout * rungs + total(&service.hooks.post_stop) + MARGIN
}
