//! The keys that webhooks are signed with, as files that a host can read at any time. Pure.
//!
//! A variable or a command is there only while `install` runs, so what they give goes into a 0600 file; a file that the
//! manifest names is read where it is, at each request.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Artifact, Body, SecretFormat};
use crate::service::{Secret, Service};

/// Has the unit name files only, and gives those that must be made, in its folder of secrets.
pub(super) fn keys(unit: &mut Service, file: impl Fn(&str) -> PathBuf) -> Vec<Artifact> {
    let id = unit.id();
    let mut made = Vec::new();
    for (index, hook) in unit.hooks.event.iter_mut().enumerate() {
        let Some(secret @ (Secret::Env(_) | Secret::Command(_))) = &mut hook.secret else { continue };
        // No variable has an `@` in its name.
        let name = format!("webhook@{}", index + 1);
        let path = file(&name);
        let source = std::mem::replace(secret, Secret::File(path.clone()));
        let body = Body::Secrets { entries: BTreeMap::from([(name, source)]), format: SecretFormat::Plain };
        made.push(Artifact { path, body, unit: Some(id.clone()) });
    }
    made
}
