//! Domains and what is in them: `system`, `gui/501`, `gui/501/com.example.web`.

use std::fmt;

use crate::codes;
use crate::wire::Answer;

/// A place for services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Domain {
    System,
    User(u32),
    Gui(u32),
}

impl Domain {
    /// Whose it is.
    pub(crate) const fn uid(self) -> u32 {
        match self {
            Self::System => 0,
            Self::User(uid) | Self::Gui(uid) => uid,
        }
    }

    /// As "could not find service" has it: `domain for user gui: 501`.
    pub(crate) fn spoken(self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::User(uid) => format!("uid: {uid}"),
            Self::Gui(uid) => format!("user gui: {uid}"),
        }
    }

    /// The session whose services it takes by default.
    pub(crate) const fn session(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User(_) => "Background",
            Self::Gui(_) => "Aqua",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::User(uid) => write!(f, "user/{uid}"),
            Self::Gui(uid) => write!(f, "gui/{uid}"),
        }
    }
}

/// A service in its domain.
pub(crate) type Key = (Domain, String);

/// What a word names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Domain(Domain),
    Service(Key),
}

/// Reads a target. A bare label, and what is not modelled, is an answer of its own.
pub(crate) fn parse(word: &str, uid: u32) -> Result<Target, Answer> {
    let mut parts = word.splitn(3, '/');
    let first = parts.next().unwrap_or_default();
    let (domain, label) = match first {
        "system" => (Domain::System, word.split_once('/').map(|(_, label)| label)),
        "user" | "gui" => {
            let Some(number) = parts.next().and_then(|number| number.parse().ok()) else {
                return Err(Answer::fails(codes::USAGE, format!("Unrecognized target specifier: {word}")));
            };
            (if first == "gui" { Domain::Gui(number) } else { Domain::User(number) }, parts.next())
        }
        "login" | "pid" | "session" => return Err(Answer::not_modelled(&format!("the domain `{word}`"))),
        _ => {
            let domain = if uid == 0 { Domain::System } else { Domain::Gui(uid) };
            return Err(Answer::fails(
                codes::USAGE,
                format!("Unrecognized target specifier, did you mean {domain}/{word}"),
            ));
        }
    };
    match label {
        None => Ok(Target::Domain(domain)),
        Some(label) if label.is_empty() || label.contains('/') => {
            Err(Answer::fails(codes::USAGE, format!("Unrecognized target specifier: {word}")))
        }
        Some(label) => Ok(Target::Service((domain, label.to_owned()))),
    }
}
