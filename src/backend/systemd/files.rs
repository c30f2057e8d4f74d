//! Where systemd's units and what belongs to them lie, and the files beside the units.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use crate::backend::{Artifact, Body, Target};
use crate::layout::Scope;
use crate::quote::systemd::EnvFileLine;
use crate::service::{Secret, Service};

/// The folder of an administrator's, or a user's, own units.
#[must_use]
pub fn unit_dir(target: &Target) -> PathBuf {
    let scope = match target.scope {
        Scope::System => "system",
        Scope::User => "user",
    };
    target.layout.config.join("systemd").join(scope)
}

/// The file of variables of a unit.
#[must_use]
pub fn env_path(target: &Target, id: &str) -> PathBuf {
    target.layout.specs().join(format!("{id}.env"))
}

/// The file of secret variables of a unit.
#[must_use]
pub fn secrets_path(target: &Target, id: &str) -> PathBuf {
    target.layout.secrets().join(format!("{id}.env"))
}

/// `env` as a file: where the service has files of variables too, `Environment=` would lose to them.
pub(super) fn env(unit: &Service, target: &Target) -> Artifact {
    let mut content = String::from("# Written by daemonctl from a manifest; its next install overwrites changes.\n");
    for (name, value) in &unit.env {
        // Writing to a String does not fail.
        let _ = writeln!(content, "{}", EnvFileLine { name, value });
    }
    let body = Body::File { content: content.into_bytes(), mode: 0o600, definition: false };
    Artifact { path: env_path(target, &unit.id()), body, unit: Some(unit.id()) }
}

/// The secrets that are handed over as variables.
pub(super) fn environment_secrets(service: &Service) -> BTreeMap<String, Secret> {
    let secrets = service.security.secrets.iter();
    secrets
        .filter(|(_, secret)| !matches!(secret, Secret::Credential(_)))
        .map(|(name, secret)| (name.clone(), secret.clone()))
        .collect()
}
