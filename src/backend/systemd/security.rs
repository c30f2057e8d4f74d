//! Security profiles and capabilities.
//!
//! `standard` is what nearly every service can live with, `strict` what can be taken from a network service that keeps its
//! data below `security.read_write`; `systemd-analyze security` rates them below 6.0 and 3.0. A user's manager can't do the
//! half of it that needs file system namespaces or capabilities, so `standard` means less there and `strict` is refused.

use crate::layout::Scope;
use crate::service::{Profile, Service};

/// The profile's lines, each with its newline.
pub(super) const fn profile(profile: Profile, scope: Scope) -> &'static str {
    match (profile, scope) {
        (Profile::None, _) => "",
        (Profile::Standard, Scope::System) => include_str!("../../../templates/systemd/standard.txt"),
        (Profile::Standard | Profile::Strict, Scope::User) => {
            include_str!("../../../templates/systemd/standard-user.txt")
        }
        (Profile::Strict, Scope::System) => include_str!("../../../templates/systemd/strict.txt"),
    }
}

/// What becomes of capabilities, and of homes and new files under `strict`.
pub(super) fn capabilities(service: &Service) -> Vec<String> {
    let mut lines = Vec::new();
    let strict = service.security.profile == Profile::Strict;
    if strict {
        let lives_at_home = service.lives_at_home();
        lines.push(format!("ProtectHome={}", if lives_at_home { "read-only" } else { "yes" }));
    }
    match &service.security.capabilities {
        Some(list) => {
            let list = list.join(" ");
            lines.push(format!("CapabilityBoundingSet={list}"));
            if !list.is_empty() && service.user.as_deref().is_some_and(|user| user != "root" && user != "0") {
                lines.push(format!("AmbientCapabilities={list}"));
            }
        }
        None if strict => lines.push("CapabilityBoundingSet=".to_owned()),
        None => {}
    }
    lines
}
