//! Sandboxes are built of Linux's own means; the backends refuse the keys, and so does this.

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::service::{Profile, Service};

/// There is none.
#[derive(Debug, Clone)]
pub enum Sandbox {}

impl Sandbox {
    /// None where nothing is asked for.
    pub fn of(service: &Service, _whole: bool) -> Result<Option<Self>> {
        if service.security.profile == Profile::None && service.security.capabilities.is_none() {
            return Ok(None);
        }
        Err(Error::new(Exit::Manifest, "`security` cannot be met here: the supervisor builds sandboxes on Linux only"))
    }
}

/// Whether such a sandbox can be made on this machine.
pub fn sandbox_possible(service: &Service, whole: bool) -> Result<()> {
    Sandbox::of(service, whole).map(drop)
}
