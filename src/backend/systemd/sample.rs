//! A target for tests.

use std::path::PathBuf;

use crate::backend::{BackendKind, Target};
use crate::layout::Scope;

pub(super) use crate::backend::sample::service;

pub(super) fn target() -> Target {
    Target {
        version: Some(252),
        local: true,
        host_binary: PathBuf::from("/var/lib/daemonctl/bin/daemonctl-0"),
        ..Target::elsewhere(BackendKind::Systemd, Scope::System)
    }
}
