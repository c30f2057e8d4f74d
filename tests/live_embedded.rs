//! The live tests where no service manager runs the machine, as root and as a user: scripts/live-embedded.
#![cfg(target_os = "linux")]

#[path = "support/mod.rs"]
mod support;

#[path = "live/mod.rs"]
mod live;
