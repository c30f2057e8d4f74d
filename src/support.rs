//! What a backend makes of each key: by itself, by daemonctl's host, or not at all. There is no fourth way, and no key
//! is left out. Pure.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::{Answer, Backend, Hosting, Target};
use crate::key::Key;
use crate::manifest::{ManifestError, ManifestErrors, Source, Span};
use crate::service::{HostMode, Service};

/// How a key is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// By the service manager itself.
    Native,
    /// By daemonctl's host.
    Host,
    /// Not at all.
    Refused,
}

impl Met {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Host => "host",
            Self::Refused => "refused",
        }
    }
}

/// A key of a service of a manifest, and how it is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// The service.
    pub service: String,
    /// The key's path: `restart.delay`.
    pub key: &'static str,
    /// The line of the manifest, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How it is met.
    pub met: Met,
    /// By what, or why not.
    pub text: String,
    /// What to write instead of a key that is refused.
    pub remedy: Option<String>,
}

/// A key, and how a backend meets it in general.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct General {
    /// The key's path.
    pub key: &'static str,
    /// An answer for each backend that was asked, in their order.
    pub answers: Vec<GeneralAnswer>,
}

/// A backend's answer for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GeneralAnswer {
    /// Its name.
    pub backend: &'static str,
    /// How it meets the key.
    pub met: Met,
    /// By what, or why not.
    pub text: String,
}

fn told(answer: Answer) -> (Met, String, Option<String>) {
    match answer {
        Answer::Native(by) => (Met::Native, by.into_owned(), None),
        Answer::Host(why) => (Met::Host, why.into_owned(), None),
        Answer::Refused { why, remedy } => (Met::Refused, why.into_owned(), Some(remedy.into_owned())),
    }
}

/// How each key that the services give is met, in the order of the services and of the file.
#[must_use]
pub fn for_manifest(services: &[Service], backend: &dyn Backend, target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for service in services {
        let first = rows.len();
        for (key, position) in &service.given {
            let (met, text, remedy) = told(backend.answer(*key, Some(service), target));
            let (line, column) = (position.line, position.column);
            rows.push(Row { service: service.name.clone(), key: key.path(), line, column, met, text, remedy });
        }
        rows[first..].sort_by_key(|row| (row.line, row.column));
    }
    rows
}

/// How each key is met in general by each backend.
#[must_use]
pub fn for_all(backends: &[(&dyn Backend, Target)]) -> Vec<General> {
    let answer = |key: Key, backend: &dyn Backend, target: &Target| {
        let (met, text, _) = told(backend.answer(key, None, target));
        GeneralAnswer { backend: backend.kind().name(), met, text }
    };
    let general = |key: &Key| General {
        key: key.path(),
        answers: backends.iter().map(|(backend, target)| answer(*key, *backend, target)).collect(),
    };
    Key::ALL.iter().map(general).collect()
}

/// Whether the manager or daemonctl's host runs a service. The errors are all keys that cannot be met, with what to do.
pub fn decide(backend: &dyn Backend, service: &Service, target: &Target) -> Result<Hosting, Vec<ManifestError>> {
    let name = backend.kind().name();
    let place = |key: Key| service.given.get(&key).map_or_else(Span::default, |position| Span::from(*position));
    let mut errors = Vec::new();
    let mut hosts = backend.always_hosts();
    if hosts && service.host == HostMode::Never {
        let message = format!("`host` cannot be `never`: {name} needs daemonctl's host for every service");
        let error = ManifestError::new(place(Key::Host), message);
        errors.push(
            error.hint(format!("remove it, or set it for another backend only: `[service.{}.on.NAME]`", service.name)),
        );
    }
    for key in service.given.keys() {
        match backend.answer(*key, Some(service), target) {
            Answer::Native(_) => {}
            Answer::Host(why) if service.host == HostMode::Never && !backend.always_hosts() => {
                let message = format!("`{}` needs daemonctl's host, and `host` is `never`: {why}", key.path());
                let error = ManifestError::new(place(*key), message);
                let error = error.expected(format!("{name} cannot do this itself"));
                errors.push(
                    error
                        .related(place(Key::Host), "the host is ruled out here")
                        .hint("write `host = \"auto\"`, or remove the key"),
                );
            }
            Answer::Host(_) => hosts = true,
            Answer::Refused { why, remedy } => {
                let error = ManifestError::new(place(*key), format!("{name} refuses `{}`: {why}", key.path()));
                errors.push(error.expected(format!("of the service `{}`", service.name)).hint(remedy));
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(if hosts || service.host == HostMode::Always { Hosting::Hosted } else { Hosting::Native })
}

/// The same for all services of a manifest, with all that is refused at once.
pub fn decide_all(
    backend: &dyn Backend,
    services: &[Service],
    target: &Target,
    source: &Arc<Source>,
) -> Result<Vec<Hosting>, ManifestErrors> {
    let mut errors = Vec::new();
    let mut made = Vec::with_capacity(services.len());
    for service in services {
        match decide(backend, service, target) {
            Ok(hosting) => made.push(hosting),
            Err(refused) => errors.extend(refused),
        }
    }
    if errors.is_empty() { Ok(made) } else { Err(ManifestErrors::new(Arc::clone(source), errors)) }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::path::Path;

    use super::*;
    use crate::backend::{Artifact, BackendKind, Detection, Manager};
    use crate::error::Result;
    use crate::facts::Foreign;
    use crate::layout::Scope;
    use crate::manifest::{ResolveDirs, parse, resolve};

    /// Meets everything but `health.*` (host) and `umask` (refused).
    struct Picky {
        hosts: bool,
    }

    impl Backend for Picky {
        fn kind(&self) -> BackendKind {
            BackendKind::Openrc
        }
        fn answer(&self, key: Key, _: Option<&Service>, _: &Target) -> Answer {
            match key {
                Key::Umask => Answer::Refused {
                    why: Cow::Borrowed("no umask here"),
                    remedy: Cow::Borrowed("set it in the program"),
                },
                key if key.path().starts_with("health.") => Answer::Host(Cow::Borrowed("it asks nobody")),
                _ => Answer::Native(Cow::Borrowed("itself")),
            }
        }
        fn always_hosts(&self) -> bool {
            self.hosts
        }
        fn native_names(&self, _: &Service, _: &Target) -> Result<Vec<String>> {
            Ok(Vec::new())
        }
        fn render(&self, _: &Service, _: Hosting, _: &Target) -> Result<Vec<Artifact>> {
            Ok(Vec::new())
        }
        fn detect(&self, _: Scope) -> Detection {
            Detection { found: false, why: String::new() }
        }
        fn version(&self, _: Scope) -> Option<u32> {
            None
        }
        fn connect(&self, _: &Target) -> Result<Box<dyn Manager>> {
            Err(crate::Error::failed("nothing to connect to"))
        }
    }

    fn target() -> Target {
        Target::elsewhere(BackendKind::Openrc, Scope::System)
    }

    fn decided(keys: &str, hosts: bool) -> Result<Vec<Hosting>, String> {
        let text = format!("[service.a]\nexec = ['/bin/a']\n{keys}\n[service.b]\nexec = ['/bin/b']\n{keys}\n");
        let manifest = parse(text.as_bytes(), Path::new("m.toml")).unwrap();
        let services = resolve(&manifest, &target(), &Foreign, &ResolveDirs { manifest_dir: "/".into() }).unwrap();
        decide_all(&Picky { hosts }, &services, &target(), manifest.source()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_plain_service_is_native_unless_it_asks_for_more() {
        assert_eq!(decided("", false), Ok(vec![Hosting::Native; 2]));
        assert_eq!(decided("health = { tcp = 'h:1' }", false), Ok(vec![Hosting::Hosted; 2]));
        assert_eq!(decided("host = 'always'", false), Ok(vec![Hosting::Hosted; 2]));
        assert_eq!(decided("", true), Ok(vec![Hosting::Hosted; 2]));
    }

    #[test]
    fn what_cannot_be_met_is_refused_for_all_services_with_places() {
        let refused = decided("umask = '0022'", false).unwrap_err();
        assert!(refused.contains("m.toml:3:1") && refused.contains("m.toml:6:1"), "{refused}");
        assert!(refused.contains("openrc refuses `umask`: no umask here"), "{refused}");
        assert!(refused.contains("set it in the program"), "{refused}");
    }

    #[test]
    fn never_means_never() {
        assert_eq!(decided("host = 'never'", false), Ok(vec![Hosting::Native; 2]));
        let needs = decided("host = 'never'\nhealth = { tcp = 'h:1' }", false).unwrap_err();
        assert!(needs.contains("`health.tcp` needs daemonctl's host"), "{needs}");
        let always = decided("host = 'never'", true).unwrap_err();
        assert!(always.contains("openrc needs daemonctl's host for every service"), "{always}");
    }

    #[test]
    fn the_table_of_all_keys_has_all_keys() {
        let backend = Picky { hosts: false };
        let table = for_all(&[(&backend, target())]);
        assert_eq!(table.len(), Key::ALL.len());
        assert!(table.iter().all(|row| row.answers.len() == 1));
    }
}
