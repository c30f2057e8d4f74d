//! A target for tests.

use std::path::PathBuf;

use crate::backend::{BackendKind, Target};
use crate::layout::{Layout, Scope};

pub(super) use crate::backend::sample::service;

pub(super) fn target() -> Target {
    Target {
        backend: BackendKind::Systemd,
        os: "linux",
        scope: Scope::System,
        version: Some(252),
        layout: Layout::unix_system(),
        local: true,
        background: false,
        host_binary: PathBuf::from("/var/lib/daemonctl/bin/daemonctl-0"),
    }
}
