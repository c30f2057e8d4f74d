//! systemd: units as files, the manager over D-Bus, logs from the journal.
//!
//! The pure half is `answer`, [`names`], `render` and what they use; it works on every operating system. The
//! half that acts is `live`, on Linux.

use super::{Answer, Artifact, Backend, BackendKind, Detection, Hosting, Manager, Target};
use crate::error::Result;
use crate::key::Key;
use crate::layout::Scope;
use crate::service::Service;

mod answer;
pub mod files;
mod hosted;
#[cfg(target_os = "linux")]
mod live;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
mod live;
mod log_file;
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
        live::detect(scope)
    }

    fn version(&self, scope: Scope) -> Option<u32> {
        live::version(scope)
    }

    fn glance(&self, unit: &Service, scope: Scope) -> Option<u32> {
        live::glance(unit, scope)
    }

    fn call_ahead(&self, scope: Scope) {
        live::call_ahead(scope);
    }

    fn connect(&self, target: &Target) -> Result<Box<dyn Manager>> {
        live::connect(target)
    }
}
