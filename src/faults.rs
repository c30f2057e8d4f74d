//! Places where the tests let a command die.
//!
//! A debug build kills itself with SIGKILL at the `N`-th place it passes when `DAEMONCTL_KILL_AT=N` is set; a release
//! build has none of this. `tests/crash_safety.rs` walks all the places of an install.

/// A place.
#[cfg(all(debug_assertions, unix))]
pub(crate) fn point(_name: &str) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let Some(at) = crate::system::env("DAEMONCTL_KILL_AT").and_then(|at| at.parse::<usize>().ok()) else { return };
    if PASSED.fetch_add(1, Ordering::Relaxed) + 1 == at {
        // SIGKILL to oneself does not return.
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    }
}

#[cfg(not(all(debug_assertions, unix)))]
pub(crate) const fn point(_name: &str) {}
