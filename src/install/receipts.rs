//! The receipts that an install writes: files of its goal like any other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Prepared;
use crate::backend::{Artifact, Hosting, Target};
use crate::goal::{Goal, Now};
use crate::receipt::{Kept, Receipt};
use crate::service::Service;
use crate::system;

#[expect(clippy::too_many_arguments, reason = "a receipt is the sum of an install")]
pub(super) fn write_receipt(
    prepared: &Prepared,
    service: &Service,
    hosting: Hosting,
    (rendered, host_binary): (&[Artifact], Option<PathBuf>),
    old: Option<&Receipt>,
    adopted: &BTreeMap<PathBuf, Kept>,
    folders: &[(PathBuf, u32)],
    linger: bool,
) -> Receipt {
    let made = folders
        .iter()
        .map(|(path, _)| path)
        .filter(|folder| rendered.iter().any(|artifact| artifact.path.starts_with(folder)));
    let mut kept: Vec<PathBuf> = old.map(|old| old.folders.clone()).unwrap_or_default();
    for folder in made {
        if !kept.contains(folder) {
            kept.push(folder.clone());
        }
    }
    Receipt {
        format: crate::receipt::FORMAT,
        service: service.clone(),
        manifest: prepared.manifest.clone(),
        manifest_sha256: prepared.manifest_sha256.clone(),
        backend: prepared.target.backend,
        scope: prepared.target.scope,
        hosting,
        host_binary,
        artifacts: rendered
            .iter()
            .map(|artifact| Receipt::installed(artifact, adopted.get(&artifact.path).cloned()))
            .collect(),
        folders: kept,
        linger: linger || old.is_some_and(|old| old.linger),
        enabled: None,
        installed_at: system::now().to_string(),
        daemonctl: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

pub(super) fn session_receipt(target: &Target, name: &str) -> PathBuf {
    target.layout.receipt(name)
}

/// A receipt whose only news is the time or the version of daemonctl stays as it is, so that a second install
/// changes nothing.
pub(super) fn keep_unchanged_receipts(goal: &mut Goal, now: &Now, replaced: &[Receipt], target: &Target) {
    for old in replaced {
        let path = session_receipt(target, &old.service.name);
        let (Some(file), Some(there)) = (goal.files.get_mut(&path), now.files.get(&path)) else { continue };
        let Some(Kept::File { content, .. }) = &file.body else { continue };
        let Ok(mut new) = serde_json::from_slice::<Receipt>(content) else { continue };
        new.installed_at.clone_from(&old.installed_at);
        new.daemonctl.clone_from(&old.daemonctl);
        if new == *old {
            file.body.clone_from(there);
        }
    }
}
