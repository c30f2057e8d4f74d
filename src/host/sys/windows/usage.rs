//! What processes use: resident memory and processor time.

use std::time::Duration;

use crate::host::threshold::Usage;

/// A child of ours that was somebody else's. There are none: orphans have no new parent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray {
    /// Process id.
    pub pid: i32,
    /// Its session.
    pub session: i32,
}

/// Our children that are not `known`: none.
#[must_use]
pub const fn strays(_: &dyn Fn(i32) -> bool) -> Vec<Stray> {
    Vec::new()
}

/// What these processes and all that are in their jobs use together. Memory that several share counts for each, as in
/// `status`.
#[must_use]
pub fn usage(seeds: Vec<i32>) -> Usage {
    let mut all: Vec<i32> = seeds.into_iter().flat_map(super::process::with_job).collect();
    all.sort_unstable();
    all.dedup();
    let mut used = Usage::default();
    for (memory, time) in all.into_iter().filter_map(super::process::used) {
        used.memory += memory;
        used.cpu += Duration::from_nanos(time.saturating_mul(100));
    }
    used
}
