//! systemd: units as files, the manager over D-Bus, logs from the journal.
//!
//! The pure half is [`answer`](answer), [`names`], [`render`](render) and what they use; it works on every operating system. The
//! half that acts is `manager` and what lies beside it.

use std::path::Path;

use super::{Answer, Artifact, Backend, BackendKind, Detection, Hosting, Manager, Target};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::layout::Scope;
use crate::service::Service;

mod answer;
pub mod files;
mod hosted;
pub mod names;
mod raw;
mod render;
mod restart;
#[cfg(test)]
mod sample;
mod security;
mod timer;

/// The backend.
#[derive(Debug, Clone, Copy)]
pub struct Systemd;

impl Backend for Systemd {
    fn kind(&self) -> BackendKind {
        BackendKind::Systemd
    }

    fn answer(&self, key: Key, service: Option<&Service>, target: &Target) -> Answer {
        answer::answer(key, service, target)
    }

    fn always_hosts(&self) -> bool {
        false
    }

    fn native_names(&self, service: &Service, _: &Target) -> Result<Vec<String>> {
        names::all(service, service.watch.is_some())
    }

    fn render(&self, service: &Service, hosting: Hosting, target: &Target) -> Result<Vec<Artifact>> {
        render::artifacts(service, hosting, target)
    }

    fn detect(&self, scope: Scope) -> Detection {
        let _ = scope;
        let found = Path::new("/run/systemd/system").is_dir();
        let why = if found { "`/run/systemd/system` exists" } else { "there is no `/run/systemd/system`" };
        Detection { found, why: why.to_owned() }
    }

    fn version(&self, _: Scope) -> Option<u32> {
        None
    }

    fn connect(&self, _: &Target) -> Result<Box<dyn Manager>> {
        Err(Error::failed("systemd runs on Linux only"))
    }
}
