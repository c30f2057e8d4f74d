//! The folders that `${state_dir}`, `${log_dir}` and `${runtime_dir}` stand for.
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
    for unit in prepared.services.iter().flat_map(|(service, _)| service.units()) {
        let folders = manifest::folders(&unit, layout);
        if folders.is_empty() {
            continue;
        }
        let owner = owner(&unit)?;
        for folder in folders {
            if files::make_folder_of(&layout.on_disk(&folder), owner)? {
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
