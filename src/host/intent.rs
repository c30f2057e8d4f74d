//! What somebody wanted last of a unit, on disk: it beats every policy, and outlives the supervisor.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::machine::Wanted;
use crate::error::Result;
use crate::layout::Layout;
use crate::system::files;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Intent {
    wanted: Wanted,
    /// It counts for this boot; at the next one, what is enabled comes up.
    boot: String,
}

fn path(layout: &Layout, unit: &str) -> PathBuf {
    layout.on_disk(&layout.state.join("intent").join(unit))
}

/// What was wanted last in this boot.
#[must_use]
pub fn kept(layout: &Layout, unit: &str, boot: &str) -> Option<Wanted> {
    let text = files::read(&path(layout, unit)).ok()??;
    let intent: Intent = serde_json::from_slice(&text).ok()?;
    (intent.boot == boot).then_some(intent.wanted)
}

/// Keeps it.
pub fn keep(layout: &Layout, unit: &str, wanted: Wanted, boot: &str) -> Result<()> {
    if kept(layout, unit, boot) == Some(wanted) {
        return Ok(());
    }
    let path = path(layout, unit);
    if let Some(folder) = path.parent() {
        files::make_folders(folder, 0o700)?;
    }
    let text = serde_json::to_vec(&Intent { wanted, boot: boot.to_owned() }).unwrap_or_default();
    files::replace(&path, &text, 0o600, None)
}

/// Forgets it.
pub fn forget(layout: &Layout, unit: &str) -> Result<()> {
    files::remove(&path(layout, unit)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Scope;

    #[test]
    fn it_counts_for_one_boot() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout {
            scope: Scope::User,
            root: None,
            state: folder.path().join("state"),
            runtime: folder.path().join("run"),
            logs: folder.path().join("logs"),
            config: folder.path().join("config"),
            binaries: folder.path().join("bin"),
        };
        assert_eq!(kept(&layout, "web", "b1"), None);
        keep(&layout, "web", Wanted::Down, "b1").expect("kept");
        assert_eq!(kept(&layout, "web", "b1"), Some(Wanted::Down));
        assert_eq!(kept(&layout, "web", "b2"), None);
        forget(&layout, "web").expect("forgotten");
        assert_eq!(kept(&layout, "web", "b1"), None);
    }
}
