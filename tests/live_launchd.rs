//! The live tests on the model of launchd, in the system, gui and user domains: scripts/live-launchd.
//!
//! The contract in `live/` is the same on every backend; what only launchd has, and every fault that its model can inject, is
//! here. What passes on the model is modelled: none of it was seen on macOS. On a Mac `DAEMONCTL_LIVE=launchd` runs the
//! contract on the real one.
#![cfg(any(target_os = "linux", target_os = "macos"))]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "support/mod.rs"]
mod support;

#[path = "live/mod.rs"]
mod live;

#[cfg(target_os = "linux")]
#[path = "live_launchd/mod.rs"]
mod only_launchd;
