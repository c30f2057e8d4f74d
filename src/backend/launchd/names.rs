//! How services and launchd's jobs are named, and where their property lists lie.
//!
//! The job of `web` has the service's `label`, or else its name; the instance `blue` of it is `LABEL@blue`: a label of a
//! manifest has no `@`, so that nothing else can be called so. The file is named after the label, as launchd.plist(5) asks.

use std::path::PathBuf;

use crate::backend::Target;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::{Layout, Scope};
use crate::service::Service;

/// A longer file name is one that no file system has.
const LONGEST: usize = 255 - ".plist".len();

/// The label of a service without instances or of one instance.
#[must_use]
pub fn label(unit: &Service) -> String {
    let base = unit.label.as_deref().unwrap_or(&unit.name);
    match &unit.instance {
        Some(instance) => format!("{base}@{instance}"),
        None => base.to_owned(),
    }
}

/// The folder of an administrator's daemons, or of a user's agents.
#[must_use]
pub fn folder(layout: &Layout) -> PathBuf {
    layout.config.join(match layout.scope {
        Scope::System => "LaunchDaemons",
        Scope::User => "LaunchAgents",
    })
}

/// The property list of a unit.
#[must_use]
pub fn file(unit: &Service, layout: &Layout) -> PathBuf {
    folder(layout).join(format!("{}.plist", label(unit)))
}

/// The labels that a service takes up, one an instance.
pub fn all(service: &Service, _: &Target) -> Result<Vec<String>> {
    service.each_unit().map(|unit| check(label(&unit), &unit)).collect()
}

fn check(label: String, unit: &Service) -> Result<String> {
    let why = if label.is_empty() {
        "is empty"
    } else if label.len() > LONGEST {
        "is too long for a file name"
    } else if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b)) {
        "has a character other than letters, digits, `-`, `_`, `.` and `@`"
    } else if label.starts_with(['.', '-']) {
        "begins with a dot or a dash"
    } else if label.to_ascii_lowercase().starts_with("com.apple.") {
        "belongs to Apple, whose jobs are protected"
    } else {
        return Ok(label);
    };
    let message = format!("launchd can't have the label `{label}` for `{}`: it {why}", unit.id());
    Err(Error::new(Exit::Manifest, message).hint("give it a `label` such as `com.example.web`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::launchd::sample::{service, target};

    #[test]
    fn a_label_is_the_name_or_what_the_manifest_says() {
        let mut s = service();
        assert_eq!(all(&s, &target()).unwrap(), ["web"]);
        s.label = Some("com.example.web".to_owned());
        s.instances = vec!["blue".to_owned(), "green".to_owned()];
        assert_eq!(all(&s, &target()).unwrap(), ["com.example.web@blue", "com.example.web@green"]);
        let blue = &s.units()[0];
        let path = file(blue, &target().layout);
        assert_eq!(path, std::path::Path::new("/Library/LaunchDaemons/com.example.web@blue.plist"));
    }

    #[test]
    fn impossible_labels_are_refused() {
        let mut s = service();
        for label in ["", ".x", "-x", "a b", "a/b", "ä", "com.apple.x", "Com.Apple.x", &"x".repeat(250)] {
            s.label = Some(label.to_owned());
            assert!(all(&s, &target()).is_err(), "{label}");
        }
    }
}
