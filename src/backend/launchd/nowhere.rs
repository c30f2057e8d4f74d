//! Where there can be no launchd: it is never found, and can't be reached.

use crate::backend::{Detection, Manager, Target};
use crate::error::{Error, Result};
use crate::layout::Scope;

/// Never.
pub(super) fn detect() -> Detection {
    Detection { found: false, why: "launchd runs on macOS only".to_owned() }
}

/// No sessions at all.
pub(super) const fn background(_: Scope) -> bool {
    false
}

/// An error.
pub(super) fn connect(_: &Target) -> Result<Box<dyn Manager>> {
    Err(Error::failed("launchd runs on macOS only").hint("`daemonctl render --target launchd` works everywhere"))
}
