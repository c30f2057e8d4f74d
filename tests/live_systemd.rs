//! The live tests on a machine that systemd runs, as root and as a user: scripts/live-systemd.
//!
//! The contract in `live/` is the same on every backend; what only systemd has is here.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "support/mod.rs"]
mod support;

#[path = "live/mod.rs"]
mod live;

#[path = "live_systemd/mod.rs"]
mod systemd;
