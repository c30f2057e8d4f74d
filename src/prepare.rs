//! From a manifest's path to services that are resolved, checked and decided for a target.

use std::path::{Path, PathBuf};

use crate::backend::{Hosting, Target};
use crate::error::Result;
use crate::facts::Facts;
use crate::install::Prepared;
use crate::manifest::{self, Manifest, ResolveDirs};
use crate::receipt;
use crate::session::backend;
use crate::system::manifest_file::read_manifest;

/// A manifest that was read.
pub struct Read {
    /// Absolute; what owns the services.
    pub path: PathBuf,
    /// What relative paths in it begin at.
    pub folder: PathBuf,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What it says.
    pub manifest: Manifest,
}

/// Reads and parses a manifest.
pub fn read(path: &Path) -> Result<Read> {
    let file = read_manifest(path)?;
    let manifest = manifest::parse(&file.text, &file.name)?;
    // What comes from standard input has no file; it is owned by where it was read.
    let path = file.path.unwrap_or_else(|| file.folder.join("<stdin>"));
    Ok(Read { path, folder: file.folder, sha256: receipt::sha256(&file.text), manifest })
}

/// Resolves a manifest for a target, checks it against this machine where that is the target, and decides for each
/// service who runs it.
pub fn prepare(read: &Read, target: Target, facts: &dyn Facts) -> Result<Prepared> {
    let manifest_dir = read.folder.clone();
    let services = manifest::resolve(&read.manifest, &target, facts, &ResolveDirs { manifest_dir })?;
    let backend = backend(target.backend)?;
    let hosting: Vec<Hosting> = services
        .iter()
        .map(|service| {
            let hosted = backend.always_hosts()
                || service.host == crate::service::HostMode::Always
                || service
                    .given
                    .keys()
                    .any(|key| matches!(backend.answer(*key, Some(service), &target), crate::backend::Answer::Host(_)));
            if hosted { Hosting::Hosted } else { Hosting::Native }
        })
        .collect();
    Ok(Prepared {
        manifest: read.path.clone(),
        manifest_sha256: read.sha256.clone(),
        target,
        services: services.into_iter().zip(hosting).collect(),
    })
}
