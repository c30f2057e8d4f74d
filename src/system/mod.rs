//! THE EDGE
/// A variable of the environment.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
