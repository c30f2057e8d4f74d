//! The real launchd, through `launchctl`.

use std::path::PathBuf;

use crate::backend::{Detection, Manager, Target};
use crate::error::{Error, Result};

/// Whether launchd runs this machine.
pub(super) fn detect() -> Detection {
    if cfg!(target_os = "macos") {
        return Detection { found: true, why: "launchd runs every Mac".to_owned() };
    }
    Detection { found: false, why: "launchd runs on macOS only".to_owned() }
}

/// The way to it.
pub(super) fn connect(_: &Target) -> Result<Box<dyn Manager>> {
    let _ = program()?;
    Err(Error::failed("launchd cannot be acted on yet"))
}

/// `launchctl`. A debug build takes the one that the tests name.
fn program() -> Result<PathBuf> {
    if cfg!(debug_assertions)
        && let Some(path) = crate::system::env("DAEMONCTL_LAUNCHCTL")
    {
        return Ok(PathBuf::from(path));
    }
    if cfg!(target_os = "macos") {
        return Ok(PathBuf::from("/bin/launchctl"));
    }
    Err(Error::failed("launchd runs on macOS only").hint("`daemonctl render --target launchd` works everywhere"))
}
