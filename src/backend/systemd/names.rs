//! How services and systemd's units are named.
//!
//! `web` is `web.service`, its instance `blue` is `web@blue.service` from the template `web@.service`. What acts on a
//! watched file is `web:watch.service`: a manifest's names have no colon, so that nothing else can be called so.

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::service::{Dependency, Kind, Service, Start};

/// systemd's limit on a unit's name, with its suffix.
const LONGEST: usize = 255;

/// The suffixes of units that a manifest may depend on.
const SUFFIXES: [&str; 11] =
    ["service", "socket", "target", "mount", "automount", "swap", "device", "timer", "path", "slice", "scope"];

/// The unit of a service or instance: `web.service`, `web@blue.service`.
#[must_use]
pub fn unit(id: &str, suffix: &str) -> String {
    format!("{id}.{suffix}")
}

/// The service or instance that a unit belongs to; None: not a name that [`unit()`] makes.
#[must_use]
pub fn id(unit: &str) -> Option<&str> {
    let (id, suffix) = unit.rsplit_once('.')?;
    (matches!(suffix, "service" | "timer" | "path") && !id.contains(':')).then_some(id)
}

/// The name that a file of the service has: `web.service`, `web@.service`.
#[must_use]
pub fn file(service: &Service, suffix: &str) -> String {
    let at = if is_template(service) { "@" } else { "" };
    format!("{}{at}.{suffix}", service.name)
}

/// The file name of the unit that acts when a watched file changes.
#[must_use]
pub fn watch_file(service: &Service) -> String {
    let at = if is_template(service) { "@" } else { "" };
    format!("{}:watch{at}.service", service.name)
}

/// Whether the service is rendered as a template.
#[must_use]
pub const fn is_template(service: &Service) -> bool {
    !service.instances.is_empty() || service.instance.is_some()
}

/// Whether a timer starts it.
#[must_use]
pub fn has_timer(service: &Service) -> bool {
    match service.kind {
        Kind::Task => service.schedule.is_some(),
        Kind::Service | Kind::Oneshot => service.start == Start::Delayed,
    }
}

/// The unit that is started, stopped and enabled for a service or instance: the timer of a task.
#[must_use]
pub fn handle(service: &Service) -> String {
    let suffix = if service.kind == Kind::Task && has_timer(service) { "timer" } else { "service" };
    unit(&service.id(), suffix)
}

/// Every native name that a service takes up.
pub fn all(service: &Service, watched: bool) -> Result<Vec<String>> {
    check(&service.name, "service")?;
    for instance in service.instances.iter().chain(&service.instance) {
        check(instance, "instance")?;
        if service.name.len() + instance.len() + "@:watch.service".len() > LONGEST {
            let (name, instance) = (&service.name, instance);
            let message =
                format!("systemd can't have the instance `{instance}` of `{name}`: the unit's name is too long");
            return Err(Error::new(Exit::Manifest, message).hint("give it a shorter name"));
        }
    }
    let mut names = vec![file(service, "service")];
    if has_timer(service) {
        names.push(file(service, "timer"));
    }
    if watched {
        names.push(file(service, "path"));
        names.push(watch_file(service));
    }
    Ok(names)
}

fn check(name: &str, what: &str) -> Result<()> {
    let why = if name.is_empty() {
        "is empty"
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        "has a character other than letters, digits, `-`, `_` and `.`"
    } else if name.starts_with('.') {
        "begins with a dot, and systemd passes hidden files over"
    } else if name.starts_with('-') {
        "begins with a dash, which every tool takes for an option"
    } else {
        return Ok(());
    };
    Err(Error::new(Exit::Manifest, format!("systemd can't have the {what} name `{name}`: it {why}"))
        .hint("give it another name"))
}

/// The units that a dependency of `service` names.
pub fn dependency(service: &Service, dependency: &Dependency) -> Result<Vec<String>> {
    match dependency {
        Dependency::Service(name) => {
            check(name, "service")?;
            Ok(match service.instances_of.get(name) {
                Some(instances) => {
                    instances.iter().map(|instance| unit(&format!("{name}@{instance}"), "service")).collect()
                }
                None => vec![unit(name, "service")],
            })
        }
        Dependency::Foreign(name) => {
            let known =
                name.rsplit_once('.').is_some_and(|(stem, suffix)| !stem.is_empty() && SUFFIXES.contains(&suffix));
            let valid = name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b));
            if known && valid && name.len() <= LONGEST {
                Ok(vec![name.clone()])
            } else {
                Err(Error::new(Exit::Manifest, format!("`{name}` is not the name of a systemd unit"))
                    .hint("write it as systemd does, such as `network-online.target` or `postgresql.service`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::systemd::sample::service;

    #[test]
    fn names_are_reversible() {
        for name in ["web", "a.b", "web.service", "a-b_c"] {
            assert_eq!(id(&unit(name, "service")), Some(name));
        }
        assert_eq!(id("web@blue.service"), Some("web@blue"));
        assert_eq!(id("web:watch.service"), None);
        assert_eq!(id("web.mount"), None);
    }

    #[test]
    fn impossible_names_are_refused() {
        for name in [".hidden", "-x", "a b", "ä", "a/b", "a:b", ""] {
            let mut s = service();
            s.name = name.to_owned();
            assert!(all(&s, false).is_err(), "{name}");
        }
    }

    #[test]
    fn instances_make_a_template() {
        let mut s = service();
        s.instances = vec!["blue".to_owned()];
        assert_eq!(all(&s, false).unwrap(), ["web@.service"]);
        s.instances = vec!["x".repeat(250)];
        assert!(all(&s, false).is_err());
    }

    #[test]
    fn foreign_units_are_checked() {
        let s = service();
        let foreign = |name: &str| dependency(&s, &Dependency::Foreign(name.to_owned()));
        assert!(foreign("network-online.target").is_ok());
        assert!(foreign("postgresql").is_err());
        assert!(foreign("a b.service").is_err());
    }

    #[test]
    fn a_dependency_means_all_instances() {
        let mut s = service();
        s.instances_of.insert("db".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        let on = |name: &str| dependency(&s, &Dependency::Service(name.to_owned())).unwrap();
        assert_eq!(on("db"), ["db@a.service", "db@b.service"]);
        assert_eq!(on("cache"), ["cache.service"]);
    }
}
