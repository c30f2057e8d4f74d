//! The live tests on Windows, or on Wine: scripts/live-windows.
//!
//! `DAEMONCTL_LIVE=windows` is the service control manager's services, as an administrator; `windows-user` the embedded
//! supervisor in user scope. The contract in `live/` is the same on every backend; what only Windows has is here.
#![cfg(windows)]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

#[path = "support/mod.rs"]
mod support;

#[path = "live/mod.rs"]
mod live;

#[path = "live_windows/mod.rs"]
mod only_windows;
