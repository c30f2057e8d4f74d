//! launchd of macOS: jobs as property lists, the manager through `launchctl`.
//!
//! The pure half is `answer`, [`names`], `keys`, `render` and the readers of what `launchctl` prints; it works on every
//! operating system. The half that acts is `live`. It does so through one seam: every call is `launchctl VERB ...` with
//! the modern verbs (`bootstrap`, `bootout`, `kickstart`, `kill`, `enable`, `disable`, `print`, `print-disabled`) and
//! explicit domains, each under a deadline. The program is `/bin/launchctl` on macOS; a debug build takes the one that
//! `DAEMONCTL_LAUNCHCTL` names on any Unix, so that all of this is tested on Linux against a model of launchd. The
//! folders are those of the layout: `LaunchDaemons` or `LaunchAgents` below its configuration folder, which is `/Library` or
//! `~/Library` on macOS, `/etc` or `~/.config` elsewhere.

use std::path::PathBuf;

use super::{Answer, Artifact, Backend, BackendKind, Detection, Hosting, Manager, Target};
use crate::error::Result;
use crate::key::Key;
use crate::layout::Scope;
use crate::service::Service;

mod answer;
mod calendar;
#[cfg(unix)]
mod codes;
mod hosted;
mod keys;
#[cfg(unix)]
mod live;
#[cfg(not(unix))]
#[path = "nowhere.rs"]
mod live;
pub mod names;
#[cfg(unix)]
mod places;
#[cfg(unix)]
mod printed;
mod render;
#[cfg(test)]
mod sample;
#[cfg(unix)]
mod state;
mod text;

/// The backend.
#[derive(Debug, Clone, Copy)]
pub struct Launchd;

impl Backend for Launchd {
    fn kind(&self) -> BackendKind {
        BackendKind::Launchd
    }

    fn answer(&self, key: Key, service: Option<&Service>, target: &Target) -> Answer {
        answer::answer(key, service, target)
    }

    fn always_hosts(&self) -> bool {
        false
    }

    fn enables_by_files(&self) -> bool {
        false
    }

    fn native_names(&self, service: &Service, target: &Target) -> Result<Vec<String>> {
        names::all(service, target)
    }

    fn render(&self, service: &Service, hosting: Hosting, target: &Target) -> Result<Vec<Artifact>> {
        render::artifacts(service, hosting, target)
    }

    fn opens_in(&self, unit: &Service, hosting: Hosting, target: &Target) -> Vec<PathBuf> {
        render::own_log_folder(unit, hosting, target).into_iter().collect()
    }

    fn detect(&self, _: Scope) -> Detection {
        live::detect()
    }

    fn version(&self, _: Scope) -> Option<u32> {
        None
    }

    fn background(&self, scope: Scope) -> bool {
        live::background(scope)
    }

    fn connect(&self, target: &Target) -> Result<Box<dyn Manager>> {
        live::connect(target)
    }
}
