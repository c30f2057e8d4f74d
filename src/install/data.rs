//! The folders that `${state_dir}`, `${log_dir}` and `${runtime_dir}` stand for, and those that a manager needs to be there.
//!
//! They belong to the service's user and hold what must outlive an update, so they are no artifacts: install makes them,
//! uninstall leaves them, `--purge` removes them. What is in the runtime folder is gone after a boot; systemd
//! (`RuntimeDirectory=`) or the host makes that again.

use std::path::PathBuf;

use super::Prepared;
use crate::error::Result;
use crate::manifest;
use crate::service::Service;
use crate::system::{files, machine};

/// Makes those that are missing, and gives them.
pub(super) fn make(prepared: &Prepared) -> Result<Vec<PathBuf>> {
    let layout = &prepared.target.layout;
    let mut made = Vec::new();
    let backend = crate::backend::find(prepared.target.backend);
    let units = prepared
        .services
        .iter()
        .flat_map(|(service, hosting)| service.units().into_iter().map(|unit| (unit, *hosting)));
    for (unit, hosting) in units {
        let mut folders: Vec<(PathBuf, u32)> =
            manifest::folders(&unit, layout).into_iter().map(|folder| (folder, 0o750)).collect();
        // Of an image the accounts need not be there yet.
        if let Some(backend) = backend.filter(|_| prepared.target.local || unit.user.is_none() && unit.group.is_none())
        {
            let opened = backend.opens_in(&unit, hosting, &prepared.target);
            folders.extend(opened.into_iter().map(|folder| (folder, 0o755)));
        }
        if folders.is_empty() {
            continue;
        }
        let owner = owner(&unit)?;
        for (folder, mode) in folders {
            if files::make_folder_of(&layout.on_disk(&folder), mode, owner)? {
                made.push(folder);
            }
        }
    }
    Ok(made)
}

/// The user and group of a service, where it has others than ours.
fn owner(unit: &Service) -> Result<Option<(u32, u32)>> {
    if unit.user.is_none() && unit.group.is_none() {
        return Ok(None);
    }
    machine::account(unit.user.as_deref(), unit.group.as_deref()).map(Some)
}
