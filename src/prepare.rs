//! From a manifest's path to services that are resolved, checked and decided for a target.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::Target;
use crate::error::Result;
use crate::facts::Facts;
use crate::install::Prepared;
use crate::manifest::{self, Manifest, ManifestErrors, ResolveDirs};
use crate::service::Service;
use crate::session::backend;
use crate::system::manifest_file::read_manifest;
use crate::{preflight, receipt, support};

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
    let services = resolve(read, &target, facts)?;
    let source = read.manifest.source();
    let missing = preflight::check(&services, facts, &target.layout);
    if !missing.is_empty() {
        return Err(ManifestErrors::new(Arc::clone(source), missing).into());
    }
    let hosting = support::decide_all(backend(target.backend)?, &services, &target, source)?;
    Ok(Prepared {
        manifest: read.path.clone(),
        manifest_sha256: read.sha256.clone(),
        target,
        services: services.into_iter().zip(hosting).collect(),
    })
}

/// The services of a manifest, resolved and nothing more.
pub fn resolve(read: &Read, target: &Target, facts: &dyn Facts) -> Result<Vec<Service>> {
    Ok(manifest::resolve(&read.manifest, target, facts, &ResolveDirs { manifest_dir: read.folder.clone() })?)
}
