//! `[security]`: where systemd's restrictions would also hold for daemonctl's host, or a version lacks them.

use super::{is_hosted, since};
use crate::backend::answer::{host, native, refused};
use crate::backend::{Answer, Target};
use crate::layout::Scope;
use crate::quote::systemd as quote;
use crate::service::{Profile, Secret, Service};

pub(super) fn profile(service: Option<&Service>, target: &Target) -> Answer {
    let Some(s) = service else { return native("Protect*=, Restrict*=, SystemCallFilter= and more") };
    if s.security.profile == Profile::None {
        return native("nothing to do");
    }
    if !since(target, 247) {
        return refused(
            "the profiles use directives that came with version 247",
            "use `profile = \"none\"` and add what you need below `[service.NAME.systemd]`",
        );
    }
    if s.security.profile == Profile::Strict && target.scope == Scope::User {
        return refused(
            "a user's manager can't take away what `strict` takes (file systems, devices, capabilities)",
            "use `standard`, or install in system scope (`--system`)",
        );
    }
    if target.scope == Scope::System
        && s.exec.first().is_some_and(|program| program.starts_with("/tmp/") || program.starts_with("/var/tmp/"))
    {
        return refused(
            "PrivateTmp= hides a program that lies in /tmp",
            "move the program, or use `profile = \"none\"`",
        );
    }
    if s.security.profile == Profile::Strict && is_hosted(s, target) {
        return host("`strict` takes away what daemonctl's host needs to run the program as another user");
    }
    match target.scope {
        Scope::System => native("Protect*=, Restrict*=, SystemCallFilter= and more"),
        Scope::User => native("NoNewPrivileges=, Restrict*= and what else a user's manager can enforce"),
    }
}

pub(super) fn capabilities(service: Option<&Service>, target: &Target) -> Answer {
    let Some(list) = service.and_then(|s| s.security.capabilities.as_ref()) else {
        return native("CapabilityBoundingSet= and AmbientCapabilities=");
    };
    let valid = |name: &String| {
        name.strip_prefix("CAP_").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
    };
    if let Some(bad) = list.iter().find(|name| !valid(name)) {
        return refused(format!("`{bad}` is not a capability"), "write it like `CAP_NET_BIND_SERVICE`");
    }
    if service.is_some_and(|s| is_hosted(s, target)) {
        if target.scope == Scope::User {
            return refused(
                "the list would hold for daemonctl's host, which has none to give",
                "leave out what needs the host (`daemonctl support` names it)",
            );
        }
        return host("the list would also hold for daemonctl's host, which must become another user");
    }
    native("CapabilityBoundingSet= and AmbientCapabilities=")
}

pub(super) fn secrets(service: Option<&Service>, target: &Target) -> Answer {
    let Some(s) = service else { return native("a 0600 EnvironmentFile=, or LoadCredential=") };
    let valid = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    for (name, secret) in &s.security.secrets {
        match secret {
            Secret::Credential(_) if !since(target, 247) => {
                return refused("LoadCredential= came with version 247", "use `file`, `env` or `command`");
            }
            Secret::Credential(source) if !valid(name) || !(valid(source) || source.starts_with('/')) => {
                return refused(
                    format!("systemd can't have a credential `{name}` from `{source}`"),
                    "use letters, digits, `-`, `_` and `.`, or an absolute path as its source",
                );
            }
            Secret::Credential(_) if s.user.is_some() && is_hosted(s, target) => {
                return refused(
                    "systemd gives a credential to the unit's user, which is daemonctl's host here",
                    "use `file`, or leave out what needs the host (`daemonctl support` names it)",
                );
            }
            Secret::File(_) | Secret::Env(_) | Secret::Command(_) if quote::variable_refused(name, "").is_some() => {
                return refused(format!("`{name}` is no name for a variable"), "use letters, digits and `_`");
            }
            _ => {}
        }
    }
    native("a 0600 EnvironmentFile=, or LoadCredential=")
}
