//! THE EDGE: everything that touches the machine on behalf of the CLI.
//!
//! What is decided is decided elsewhere, from data; here it is looked at and done. A backend's act side and the
//! host's mechanisms build on these too.

pub mod commands;
pub mod files;
pub mod host_binary;
pub mod interrupt;
pub mod lock;
pub mod machine;
pub mod terminal;

use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};

/// A variable of the environment.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether something is at a path, following links. What can't be looked at counts as not there.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// The path as seen from `/`, without asking whether it exists or is a link.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).doing(format_args!("tell where `{}` is", path.display()))
}

/// The time.
#[must_use]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
