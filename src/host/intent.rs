//! What somebody wanted last of each unit, on disk: it beats every policy, and outlives the supervisor.
//!
//! One small file for all units, replaced as a whole: to stop a thousand of them costs one write that reaches the disk.
//! Whoever holds the supervisor's lock writes it: the supervisor while one runs, else a command (see [`keep_alone`]).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine::Wanted;
use super::sys;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::system::{files, machine};

/// What is wanted of each unit that somebody has said something about.
pub type Intents = BTreeMap<String, Wanted>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    /// They count for this boot; at the next one, what is enabled comes up.
    boot: String,
    units: Intents,
}

fn path(layout: &Layout) -> PathBuf {
    layout.on_disk(&layout.state.join("intents.json"))
}

/// The lock that a scope's supervisor holds while it runs.
#[must_use]
pub fn lock(layout: &Layout) -> PathBuf {
    layout.runtime.join("supervisor.lock")
}

/// No supervisor takes longer to be gone once it does not answer any more.
const ENDING: Duration = Duration::from_secs(2);

/// What was wanted last in this boot.
#[must_use]
pub fn kept(layout: &Layout, boot: &str) -> Intents {
    let text = files::read(&path(layout)).ok().flatten().unwrap_or_default();
    serde_json::from_slice::<File>(&text)
        .ok()
        .filter(|file| file.boot == boot)
        .map(|file| file.units)
        .unwrap_or_default()
}

/// Keeps it.
pub fn keep(layout: &Layout, units: Intents, boot: &str) -> Result<()> {
    let path = path(layout);
    if let Some(folder) = path.parent() {
        files::make_folders(folder, 0o755)?;
    }
    let text = serde_json::to_vec(&File { boot: boot.to_owned(), units }).unwrap_or_default();
    files::replace(&path, &text, 0o600, None)
}

/// Changes it where no supervisor runs.
pub fn keep_alone(layout: &Layout, change: impl FnOnce(&mut Intents)) -> Result<()> {
    machine::make_runtime_folder(layout)?;
    // One that does not answer any more holds it for as long as it takes the kernel to take it apart.
    let until = Instant::now() + ENDING;
    let _lock = loop {
        if let Some(held) = sys::hold_lock(&lock(layout))? {
            break held;
        }
        if Instant::now() >= until {
            return Err(Error::failed("a supervisor has just started").hint("run the command again"));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let boot = sys::boot_id();
    let before = kept(layout, &boot);
    let mut after = before.clone();
    change(&mut after);
    if after == before { Ok(()) } else { keep(layout, after, &boot) }
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
            runtime: folder.path().to_owned(),
            logs: folder.path().join("logs"),
            config: folder.path().join("config"),
            binaries: folder.path().join("bin"),
        };
        assert_eq!(kept(&layout, "b1"), Intents::new());
        let wanted = Intents::from([("web".to_owned(), Wanted::Down)]);
        keep(&layout, wanted.clone(), "b1").expect("kept");
        assert_eq!((kept(&layout, "b1"), kept(&layout, "b2")), (wanted, Intents::new()));
        keep_alone(&layout, |units| units.extend([("web".to_owned(), Wanted::Up)])).expect("kept");
        assert_eq!(kept(&layout, &sys::boot_id()).get("web"), Some(&Wanted::Up));
        keep_alone(&layout, BTreeMap::clear).expect("forgotten");
        assert_eq!(kept(&layout, &sys::boot_id()), Intents::new());
    }
}
