//! The folders that `${state_dir}`, `${log_dir}` and `${runtime_dir}` stand for: one each for a unit.

use std::path::{Path, PathBuf};

use crate::layout::Layout;
use crate::service::{INSTANCE_MARK, Service};

/// Where a unit (`web`, or `web@blue`) keeps what it must not lose.
pub(crate) fn state(layout: &Layout, unit: &str) -> PathBuf {
    layout.state.join("data").join(unit)
}

/// Where a unit keeps what may be gone after a reboot.
pub(crate) fn runtime(layout: &Layout, unit: &str) -> PathBuf {
    layout.runtime.join("data").join(unit)
}

/// Those of the folders that the service's texts name. `install` makes them, owned by the service's user; in a service
/// with instances they carry the instance's mark, so ask for each of [`Service::units`].
#[must_use]
pub fn folders(service: &Service, layout: &Layout) -> Vec<PathBuf> {
    if !service.own_folders {
        return Vec::new();
    }
    let unit = if service.instances.is_empty() { service.id() } else { format!("{}@{INSTANCE_MARK}", service.name) };
    let all = [state(layout, &unit), layout.logs_of(&unit), runtime(layout, &unit)];
    let Ok(texts) = serde_json::to_value(service) else { return Vec::new() };
    all.into_iter().filter(|folder| names(&texts, folder)).collect()
}

/// Whether some text has the folder in it, as such or with something below it.
fn names(value: &serde_json::Value, folder: &Path) -> bool {
    let folder = folder.to_string_lossy();
    match value {
        serde_json::Value::String(text) => text.match_indices(folder.as_ref()).any(|(at, found)| {
            !text[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
        }),
        serde_json::Value::Array(items) => items.iter().any(|item| names(item, Path::new(folder.as_ref()))),
        serde_json::Value::Object(map) => map.values().any(|item| names(item, Path::new(folder.as_ref()))),
        _ => false,
    }
}
