//! A service and a target for tests.

use crate::backend::{BackendKind, Target, sample};
use crate::layout::Scope;
use crate::service::{Restart, Service};

pub(in crate::backend) fn target() -> Target {
    Target { local: true, ..Target::elsewhere(BackendKind::Launchd, Scope::System) }
}

/// One whose restarts launchd can do itself: it knows no growing delays, and never gives up.
pub(in crate::backend) fn service() -> Service {
    let plain = sample::service();
    Service { restart: Restart { factor: 1.0, limit: None, ..plain.restart }, ..plain }
}
