//! The live tests where no service manager runs the machine, as root and as a user: scripts/live-embedded.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "support/mod.rs"]
mod support;

#[path = "live/mod.rs"]
mod live;
