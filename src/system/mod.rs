//! THE EDGE: everything that touches the machine on behalf of the CLI.
//!
//! What is decided is decided elsewhere, from data; here it is looked at and done. A backend's act side and the
//! host's mechanisms build on these too.

pub mod files;
pub mod lock;
pub mod machine;

/// A variable of the environment.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
