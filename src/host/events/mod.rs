//! The journal of events: one JSON object a line, appended, never changed.
//!
//! Each host has its own, so that nobody has to wait for another to write: `events/supervisor.jsonl` in the state
//! folder, and `events/hosts/UNIT.jsonl` of each shim; readers merge by time. At [`MOST`] bytes a journal is renamed to
//! `.1`, in place of the one before, so it is never larger than two of them.
//!
//! `told` makes events of what the machine does; `journal` writes, `read` reads.

use std::path::{Path, PathBuf};

use crate::layout::Layout;

pub mod journal;
pub mod read;
pub mod told;

/// A journal of this size is rotated.
pub const MOST: u64 = 1024 * 1024;

/// The supervisor's journal.
#[must_use]
pub fn of_supervisor(layout: &Layout) -> PathBuf {
    layout.on_disk(&layout.events().join("supervisor.jsonl"))
}

/// The journal of a unit's shim.
#[must_use]
pub fn of_shim(layout: &Layout, unit: &str) -> PathBuf {
    layout.on_disk(&layout.events().join("hosts").join(format!("{unit}.jsonl")))
}

/// What a journal is renamed to.
#[must_use]
pub fn older(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".1");
    name.into()
}
