//! Whether the host runs a service: which wishes of its manifest systemd does not meet.

use super::answer;
use crate::backend::answer::{host, refused};
use crate::backend::{Answer, Target};
use crate::key::Key;
use crate::service::{HostMode, Kind, Service};

/// Whether something that the user wrote makes the host run this service.
pub(in crate::backend::systemd) fn is_hosted(service: &Service, target: &Target) -> bool {
    match service.host {
        HostMode::Always => true,
        HostMode::Never => false,
        HostMode::Auto => service
            .given
            .keys()
            .filter(|key| !matches!(key, Key::SecurityProfile | Key::SecuritySecrets | Key::SecurityCapabilities))
            .any(|key| matches!(answer(*key, Some(service), target), Answer::Host(_))),
    }
}

/// The host watches for what runs under it; for what has run to its end there is none any more.
pub(super) fn hosts(service: &Service, why: &'static str) -> Answer {
    if service.kind == Kind::Service { host(why) } else { watched_after_its_end() }
}

pub(super) fn watched_after_its_end() -> Answer {
    refused(
        "daemonctl's host would watch these files, and it ends with what runs to completion",
        "watch whole paths with `debounce = \"0ms\"`, and leave out what needs the host (`daemonctl support` names it)",
    )
}

/// Whether keys that have nothing to do with watching need the host.
pub(super) fn others_host(service: &Service, target: &Target) -> bool {
    service.host == HostMode::Always
        || service.host == HostMode::Auto
            && service
                .given
                .keys()
                .filter(|key| {
                    !matches!(
                        key,
                        Key::WatchPaths
                            | Key::WatchAction
                            | Key::WatchCommand
                            | Key::WatchDebounce
                            | Key::SecurityProfile
                            | Key::SecuritySecrets
                            | Key::SecurityCapabilities
                    )
                })
                .any(|key| matches!(answer(*key, Some(service), target), Answer::Host(_)))
}
