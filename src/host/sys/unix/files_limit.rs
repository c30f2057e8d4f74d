//! How many files may be open. A supervisor needs some for each service, a service gets what the supervisor was given:
//! programs that use `select` break when the soft limit is above 1024.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// `OPEN_MAX` of macOS's `<sys/syslimits.h>`.
const OPEN_MAX: rlim_t = 10_240;

static ORIGINAL: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the soft limit to the hard one, for this process alone.
pub(super) fn raise() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    // macOS has a hard limit of infinity, and takes no soft one above OPEN_MAX (setrlimit(2)).
    let raised = [hard, OPEN_MAX]
        .into_iter()
        .any(|wanted| soft < wanted && wanted <= hard && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok());
    if raised {
        let _ = ORIGINAL.set((soft, hard));
    }
}

/// How many may be open now.
#[cfg(any(not(target_os = "linux"), test))]
pub(super) fn current() -> usize {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((256, 256));
    usize::try_from(soft).unwrap_or(usize::MAX)
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
