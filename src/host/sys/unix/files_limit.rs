//! How many files may be open. A supervisor needs some for each service, a service gets what the supervisor was given:
//! programs that use `select` break when the soft limit is above 1024.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

static ORIGINAL: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the soft limit to the hard one, for this process alone.
pub(super) fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok()
    {
        let _ = ORIGINAL.set((soft, hard));
    }
}

/// What they were before; None: they were not changed.
pub(super) fn original() -> Option<(rlim_t, rlim_t)> {
    ORIGINAL.get().copied()
}

/// Lowers it again, for the program that this process is to become.
pub(super) fn restore() {
    if let Some((soft, hard)) = original() {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, soft, hard);
    }
}
