//! A service that daemonctl's host runs, as a unit: systemd looks after the host, the host after the program.
//!
//! The host says READY=1 when the program is ready, reloads on SIGHUP, and ends with exit code 5 when it has given up, after
//! which systemd leaves it alone. Its unit carries no user, folder, variables or hooks: the host reads them from the spec.
//! Limits, security and secrets stay with the unit, since what the host starts inherits them.

use std::time::Duration;

use crate::backend::{Artifact, Body, Target, signing};
use crate::service::{Hook, INSTANCE_MARK, Kind, Secret, Service};

/// Before a host that died is started again; it adopts what it left behind.
pub(super) const RESTART_DELAY: Duration = Duration::from_millis(100);

/// What the host may need beyond the sum of its waits.
const MARGIN: Duration = Duration::from_secs(10);

/// The host's command line.
pub(super) fn argv(service: &Service, target: &Target) -> Vec<String> {
    let id = if super::names::is_template(service) {
        format!("{}@{INSTANCE_MARK}", service.name)
    } else {
        service.name.clone()
    };
    let spec = target.layout.spec(&id);
    vec![
        target.host_binary.to_string_lossy().into_owned(),
        "host".to_owned(),
        "--spec".to_owned(),
        spec.to_string_lossy().into_owned(),
    ]
}

/// The service as files for the host.
pub(super) fn spec(unit: &Service, target: &Target) -> Vec<Artifact> {
    let mut spec = unit.clone();
    let folder = target.layout.secrets().join(unit.id());
    let mut made = signing::keys(&mut spec, |name| folder.join(name));
    // Where a key stands in the manifest is nothing to the host: moving a line must not restart a service.
    spec.given.clear();
    spec.native = serde_json::Value::Null;
    // These are variables of the unit.
    spec.security.secrets.retain(|_, secret| matches!(secret, Secret::Credential(_)));
    let mut content = serde_json::to_vec_pretty(&spec).unwrap_or_default();
    content.push(b'\n');
    let body = Body::File { content, mode: 0o600, definition: false };
    made.push(Artifact { path: target.layout.spec(&unit.id()), body, unit: Some(unit.id()) });
    made
}

fn total(hooks: &[Hook]) -> Duration {
    hooks.iter().map(|hook| hook.timeout).sum()
}

/// Longer than everything the host may wait for before it is ready; None: what runs to completion has no such time.
pub(super) fn start_timeout(service: &Service) -> Option<Duration> {
    if service.kind != Kind::Service {
        return None;
    }
    let waits: Duration = service.wait_for.iter().map(|wait| wait.timeout).sum();
    let ready = service.ready.as_ref().map_or(Duration::ZERO, |ready| ready.timeout);
    Some(waits + total(&service.hooks.pre_start) + ready + total(&service.hooks.post_start) + MARGIN)
}

/// Longer than the host's whole ladder.
pub(super) fn stop_timeout(service: &Service) -> Duration {
    let rungs = if service.stop.command.is_some() { 2 } else { 1 };
    total(&service.hooks.pre_stop) + service.stop.timeout * rungs + total(&service.hooks.post_stop) + MARGIN
}
