//! The real launchd, through `launchctl`.

use crate::backend::{Detection, Manager, Target};
use crate::error::Result;
use crate::layout::Scope;

mod cause;
mod ctl;
mod domain;
mod job;
mod load;
mod logs;
mod manager;
mod order;
#[cfg(test)]
mod scripted;
mod status;
mod stop;
mod unified;
mod verbs;
mod verify;

/// Whether launchd runs this machine.
pub(super) fn detect() -> Detection {
    if cfg!(target_os = "macos") {
        return Detection { found: true, why: "launchd runs every Mac".to_owned() };
    }
    Detection { found: false, why: "launchd runs on macOS only".to_owned() }
}

/// Whether the user has a domain and no session at the screen: somebody who is logged in over ssh only.
pub(super) fn background(scope: Scope) -> bool {
    if scope == Scope::System {
        return false;
    }
    let probed =
        ctl::Launchctl::find().and_then(|ctl| domain::Domains::probe(&ctl, scope, crate::system::machine::euid()));
    probed.is_ok_and(|domains| matches!(domains.there.as_slice(), [domain::Domain::User(_)]))
}

/// The way to it.
pub(super) fn connect(target: &Target) -> Result<Box<dyn Manager>> {
    let ctl = ctl::Launchctl::find()?;
    Ok(Box::new(manager::Launchd::new(Box::new(ctl), target.clone())))
}
