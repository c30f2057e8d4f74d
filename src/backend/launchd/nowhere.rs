//! Where there can be no launchd: it is never found, and can't be reached.

use crate::backend::{Detection, Manager, Target};
use crate::error::{Error, Result};

/// Never.
pub(super) fn detect() -> Detection {
    Detection { found: false, why: "launchd runs on macOS only".to_owned() }
}

/// An error.
pub(super) fn connect(_: &Target) -> Result<Box<dyn Manager>> {
    Err(Error::failed("launchd runs on macOS only").hint("`daemonctl render --target launchd` works everywhere"))
}
