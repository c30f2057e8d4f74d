//! Golden folders of systemd (`tests/support/golden.rs`). `target.json` in one changes the target:
//! `{"scope": "user", "version": 254}`.
// On Windows a layout joins its paths with backslashes.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::path::{Path, PathBuf};

use daemonctl::backend::{BackendKind, Target};
use daemonctl::layout::{Layout, Scope};

#[path = "support/golden.rs"]
mod golden;

fn target(case: &Path) -> Target {
    let options = golden::options(case);
    let user = options["scope"] == "user";
    let mut layout = Layout::unix_system();
    if user {
        layout.scope = Scope::User;
        layout.config = "/home/lab/.config".into();
        layout.state = "/home/lab/.local/state/daemonctl".into();
    }
    Target {
        backend: BackendKind::Systemd,
        os: "linux",
        scope: layout.scope,
        version: options["version"].as_u64().map(|version| u32::try_from(version).unwrap()),
        host_binary: layout.host_binaries().join("daemonctl-0"),
        layout,
        local: false,
        background: false,
    }
}

#[test]
fn every_case_renders_what_is_expected() {
    golden::check(BackendKind::Systemd, |case| {
        golden::render(case, &target(case), golden::why, |files, artifact| {
            // Windows, where the tests are checked out as well, has no colon in names.
            let path = artifact.path.to_string_lossy().replace(':', "%3A");
            files.insert(PathBuf::from(path.trim_start_matches('/')), golden::text(artifact.body));
        })
    });
}
