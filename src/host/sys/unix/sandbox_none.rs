//! Sandboxes are built of Linux's own means; elsewhere the backend refuses the keys, and so does this.

use std::io;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::service::{Profile, Service};

/// There is none.
#[derive(Debug, Clone)]
pub struct Sandbox(std::convert::Infallible);

impl Sandbox {
    /// None where nothing is asked for.
    pub fn of(service: &Service, _whole: bool) -> Result<Option<Self>> {
        if service.security.profile == Profile::None && service.security.capabilities.is_none() {
            return Ok(None);
        }
        Err(Error::new(Exit::Manifest, "`security` cannot be met here: the supervisor builds sandboxes on Linux only"))
    }

    pub(super) fn apply_first(&self, _dir: &std::ffi::CStr) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn apply_last(&self) -> io::Result<()> {
        match self.0 {}
    }
}

/// Whether such a sandbox can be made on this machine.
pub fn sandbox_possible(service: &Service, whole: bool) -> Result<()> {
    Sandbox::of(service, whole).map(drop)
}
