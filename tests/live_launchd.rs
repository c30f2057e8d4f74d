//! The live tests on the model of launchd, in the system, gui and user domains: scripts/live-launchd.
//!
//! The contract in `live/` is the same on every backend; what only launchd has, and every fault that its model can inject, is
//! here. What passes is modelled: none of it was seen on macOS.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "support/mod.rs"]
mod support;

#[path = "live/mod.rs"]
mod live;

#[path = "live_launchd/mod.rs"]
mod only_launchd;
