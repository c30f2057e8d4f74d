//! Where there is no systemd: it is never found, and can't be reached.

use crate::backend::{Detection, Manager, Target};
use crate::error::{Error, Result};
use crate::layout::Scope;
use crate::service::Service;

/// Never.
pub(super) fn detect(_: Scope) -> Detection {
    Detection { found: false, why: "systemd runs on Linux only".to_owned() }
}

/// None.
pub(super) const fn version(_: Scope) -> Option<u32> {
    None
}

/// Nobody.
pub(super) const fn glance(_: &Service, _: Scope) -> Option<u32> {
    None
}

/// To nobody.
pub(super) const fn call_ahead(_: Scope) {}

/// An error.
pub(super) fn connect(_: &Target) -> Result<Box<dyn Manager>> {
    Err(Error::failed("systemd runs on Linux only").hint("`daemonctl render --target systemd` works everywhere"))
}
