//! How a backend meets a key, and the answers that several of them give.

use std::borrow::Cow;

use crate::service::{Dependency, Secret, Service};

/// How a key is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By the manager itself; the text says by what (`Restart=`).
    Native(Cow<'static, str>),
    /// By daemonctl's host; the text says why the manager can't.
    Host(Cow<'static, str>),
    /// Not at all.
    Refused {
        /// Why.
        why: Cow<'static, str>,
        /// What to write instead.
        remedy: Cow<'static, str>,
    },
}

pub(super) fn native(by: impl Into<Cow<'static, str>>) -> Answer {
    Answer::Native(by.into())
}

pub(super) fn host(why: impl Into<Cow<'static, str>>) -> Answer {
    Answer::Host(why.into())
}

pub(super) fn refused(why: impl Into<Cow<'static, str>>, remedy: impl Into<Cow<'static, str>>) -> Answer {
    Answer::Refused { why: why.into(), remedy: remedy.into() }
}

/// Refused for this service if `is` holds of it.
pub(super) fn unless(
    service: Option<&Service>,
    is: impl Fn(&Service) -> bool,
    otherwise: Answer,
    why: &'static str,
    remedy: &'static str,
) -> Answer {
    if service.is_some_and(is) { refused(why, remedy) } else { otherwise }
}

/// Secrets where there are no credentials.
pub(super) fn secrets_without_credentials(service: Option<&Service>, otherwise: Answer) -> Answer {
    unless(
        service,
        |s| s.security.secrets.values().any(|secret| matches!(secret, Secret::Credential(_))),
        otherwise,
        "credentials are a thing of systemd's",
        "name a source: `{ file = ... }`, `{ env = ... }` or `{ command = ... }`",
    )
}

/// Ctrl-C, Ctrl-Break and closing windows where a manager has signals.
pub(super) fn windows_stop() -> Answer {
    refused(
        "this way of stopping exists on Windows only",
        "name a signal, and put this one below `[service.NAME.on.windows]`",
    )
}

/// A restart after success of what runs to its end.
pub(super) fn endless() -> Answer {
    refused(
        "a oneshot or task that is started again after success would never be done",
        "use `on-failure` or `never`, or a schedule",
    )
}

/// The first unit of another service manager in a list of dependencies.
pub(super) fn foreign(list: Option<&Vec<Dependency>>) -> Option<&str> {
    list.into_iter().flatten().find_map(|dependency| match dependency {
        Dependency::Foreign(name) => Some(name.as_str()),
        Dependency::Service(_) => None,
    })
}

/// Refused if the list holds a code that no program can exit with on this system.
pub(super) fn impossible_code(list: &[i32], system: &str) -> Option<Answer> {
    let code = list.iter().find(|code| !(0..=255).contains(*code))?;
    Some(refused(format!("no program on {system} can exit with {code}"), "use codes from 0 to 255"))
}
