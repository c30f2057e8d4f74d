//! The command line seen from outside: what it prints, where, and with which exit code. Nothing here needs a machine of
//! its own or root; what is installed goes into a home or an image of the test's own.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

mod support;

#[path = "support/schema.rs"]
mod schema;

#[path = "cli/bad_manifest.rs"]
mod bad_manifest;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/exit_codes.rs"]
mod exit_codes;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/names.rs"]
mod names;
#[path = "cli/pages.rs"]
mod pages;
#[path = "cli/plain.rs"]
mod plain;
#[path = "cli/render.rs"]
mod render;

#[cfg(unix)]
#[path = "cli/bad_machine.rs"]
mod bad_machine;
#[cfg(unix)]
#[path = "cli/events.rs"]
mod events;
#[cfg(unix)]
#[path = "cli/foreground.rs"]
mod foreground;
#[cfg(target_os = "linux")]
#[path = "cli/full_disk.rs"]
mod full_disk;
#[cfg(unix)]
#[path = "cli/image.rs"]
mod image;
#[cfg(target_os = "linux")]
#[path = "cli/upgrade.rs"]
mod upgrade;
