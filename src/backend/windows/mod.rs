//! Windows: services of the service control manager (the SCM), each run by daemonctl's host.
//!
//! What the SCM keeps of a service is an artifact like a file, a [`config::ScmConfig`]: it is rendered, compared, kept in
//! the journal and in receipts, and put back by a rollback. Pure are `answer`, `settings`, `render`, [`config`] and
//! `account`; what acts goes through one seam.

use super::{Answer, Artifact, Backend, BackendKind, Detection, Hosting, Manager, Target};
#[cfg(not(windows))]
use crate::error::Error;
use crate::error::Result;
use crate::key::Key;
use crate::layout::Scope;
use crate::service::Service;

mod account;
mod answer;
pub mod config;
mod render;
pub(crate) mod settings;

#[cfg(any(windows, test))]
mod act;

/// The backend.
#[derive(Debug, Clone, Copy)]
pub struct Windows;

impl Backend for Windows {
    fn kind(&self) -> BackendKind {
        BackendKind::Windows
    }

    fn answer(&self, key: Key, service: Option<&Service>, target: &Target) -> Answer {
        answer::answer(key, service, target)
    }

    fn always_hosts(&self) -> bool {
        true
    }

    fn native_names(&self, service: &Service, _: &Target) -> Result<Vec<String>> {
        // The manager's names differ by more than case.
        Ok(service.units().iter().map(|unit| unit.id().to_lowercase()).collect())
    }

    fn render(&self, service: &Service, _: Hosting, target: &Target) -> Result<Vec<Artifact>> {
        render::artifacts(service, target)
    }

    fn detect(&self, scope: Scope) -> Detection {
        let why = match scope {
            Scope::System if cfg!(windows) => "the service control manager runs this machine",
            Scope::System => "the service control manager is a part of Windows",
            Scope::User => "the service control manager runs the machine's services only",
        };
        Detection { found: cfg!(windows) && scope == Scope::System, why: why.to_owned() }
    }

    fn version(&self, _: Scope) -> Option<u32> {
        None
    }

    #[cfg(windows)]
    fn connect(&self, target: &Target) -> Result<Box<dyn Manager>> {
        Ok(act::connect(target))
    }

    #[cfg(not(windows))]
    fn connect(&self, _: &Target) -> Result<Box<dyn Manager>> {
        Err(Error::failed("the service control manager is a part of Windows")
            .hint("`daemonctl render --target windows` works everywhere"))
    }
}
