//! Which services the words of a command line mean, and what is said where they mean none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Session;
use crate::backend::BackendKind;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::receipt::Receipt;
use crate::service::Service;
use crate::system;

/// Which services a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All that are installed.
    All,
    /// These: services, units (`web@1`), and all the services of these manifests (absolute paths).
    These {
        /// Names of services and units.
        names: BTreeSet<String>,
        /// Manifests.
        manifests: Vec<PathBuf>,
    },
}

impl Selection {
    /// From the words of a command line: a word with a `/` or `\`, or that ends in `.toml`, is a manifest.
    pub fn from_words(words: &[String]) -> Result<Self> {
        if words.is_empty() {
            return Ok(Self::All);
        }
        let (mut names, mut manifests) = (BTreeSet::new(), Vec::new());
        for word in words {
            if is_manifest(word) {
                manifests.push(system::absolute(Path::new(word))?);
            } else {
                names.insert(word.clone());
            }
        }
        Ok(Self::These { names, manifests })
    }

    /// Those of its words that nothing in `receipts`, which are by service, goes by.
    #[must_use]
    pub fn missing(&self, receipts: &BTreeMap<String, Receipt>) -> Missing {
        let Self::These { names, manifests } = self else { return Missing::default() };
        let is_known = |name: &str| match (receipts.get(name), name.split_once('@')) {
            (Some(_), _) => true,
            (None, Some((service, instance))) => {
                receipts.get(service).is_some_and(|receipt| receipt.service.instances.iter().any(|one| one == instance))
            }
            (None, None) => false,
        };
        let is_installed = |manifest: &PathBuf| receipts.values().any(|receipt| receipt.manifest == *manifest);
        Missing {
            names: names.iter().filter(|name| !is_known(name)).cloned().collect(),
            manifests: manifests.iter().filter(|manifest| !is_installed(manifest)).cloned().collect(),
        }
    }

    /// Whether a service is among them, with all or some of its instances.
    #[must_use]
    pub fn takes(&self, receipt: &Receipt) -> bool {
        match self {
            Self::All => true,
            Self::These { names, manifests } => {
                let service = &receipt.service;
                let instance = |name: &String| names.contains(&format!("{}@{name}", service.name));
                manifests.contains(&receipt.manifest)
                    || names.contains(&service.name)
                    || service.instances.iter().any(instance)
            }
        }
    }

    /// Whether a unit of that service is among them.
    #[must_use]
    pub fn takes_unit(&self, receipt: &Receipt, unit: &Service) -> bool {
        match self {
            Self::All => true,
            Self::These { names, manifests } => {
                manifests.contains(&receipt.manifest)
                    || names.contains(&receipt.service.name)
                    || names.contains(&unit.id())
            }
        }
    }
}

/// Whether a word of the command line names a manifest rather than a service.
#[must_use]
pub fn is_manifest(word: &str) -> bool {
    word.contains(['/', '\\'])
        || Path::new(word).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Words of a command line that mean nothing that is installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Names of services and units.
    pub names: Vec<String>,
    /// Manifests of which nothing is installed.
    pub manifests: Vec<PathBuf>,
}

impl Missing {
    /// Whether every word means something.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty() && self.manifests.is_empty()
    }

    /// As an error, with what is nearest.
    #[must_use]
    pub fn error(&self, receipts: &BTreeMap<String, Receipt>, scope: Scope) -> Error {
        let mut said = Vec::new();
        if !self.names.is_empty() {
            let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
            let verb = if names.len() == 1 { "is" } else { "are" };
            said.push(format!("{} {verb} not installed in {} scope", names.join(", "), scope.name()));
        }
        for manifest in &self.manifests {
            said.push(format!("nothing of `{}` is installed in {} scope", manifest.display(), scope.name()));
        }
        let mut error = Error::new(Exit::NotInstalled, said.join("; "));
        for hint in self.names.iter().filter_map(|name| near(receipts, name)) {
            error = error.hint(hint);
        }
        for manifest in self.manifests.iter().filter(|manifest| system::exists(manifest)) {
            error = error.hint(format!("`daemonctl install {}` installs it", manifest.display()));
        }
        error.hint(match scope {
            Scope::System => "`daemonctl list` shows what is installed; services of a user need `--user`",
            Scope::User => "`daemonctl list` shows what is installed; services of the machine need `--system`",
        })
    }
}

/// What may have been meant by a name that is not installed.
#[must_use]
pub fn near(receipts: &BTreeMap<String, Receipt>, name: &str) -> Option<String> {
    let (service, instance) = name.split_once('@').map_or((name, None), |(service, name)| (service, Some(name)));
    if let (Some(receipt), Some(_)) = (receipts.get(service), instance) {
        let instances: Vec<_> = receipt.service.instances.iter().map(|name| format!("`{service}@{name}`")).collect();
        return Some(match instances.as_slice() {
            [] => format!("`{service}` has no instances"),
            _ => format!("the instances of `{service}` are {}", instances.join(", ")),
        });
    }
    let distance = |known: &String| strsim::damerau_levenshtein(known, service);
    let nearest = receipts.keys().map(|known| (distance(known), known));
    let (_, known) = nearest.filter(|(distance, known)| *distance <= 1 + known.len() / 4).min()?;
    Some(format!("did you mean `{known}`?"))
}

impl Session {
    /// Whether all that `selection` names is installed.
    pub fn check(&self, selection: &Selection) -> Result<()> {
        let missing = selection.missing(&self.receipts);
        if missing.is_empty() { Ok(()) } else { Err(missing.error(&self.receipts, self.layout.scope)) }
    }

    /// The units that `selection` names among what is installed, grouped by backend, each group in dependency order.
    pub fn select(&self, selection: &Selection) -> Result<BTreeMap<BackendKind, Vec<Service>>> {
        self.check(selection)?;
        let mut groups: BTreeMap<BackendKind, Vec<Service>> = BTreeMap::new();
        for receipt in in_order(self.receipts.values()) {
            if !selection.takes(receipt) {
                continue;
            }
            let units = receipt.service.units().into_iter().filter(|unit| selection.takes_unit(receipt, unit));
            groups.entry(receipt.backend).or_default().extend(units);
        }
        Ok(groups)
    }
}

/// Receipts so that what a service depends on comes before it.
pub fn in_order<'a>(receipts: impl Iterator<Item = &'a Receipt>) -> Vec<&'a Receipt> {
    fn visit<'a>(name: &str, left: &mut BTreeMap<&str, &'a Receipt>, order: &mut Vec<&'a Receipt>) {
        // Taken out before its dependencies are visited, so that a cycle (two manifests can make one) ends.
        let Some(receipt) = left.remove(name) else { return };
        for name in receipt.service.services_before() {
            visit(name, left, order);
        }
        order.push(receipt);
    }
    let mut left: BTreeMap<&str, &Receipt> = receipts.map(|receipt| (receipt.service.name.as_str(), receipt)).collect();
    let names: Vec<&str> = left.keys().copied().collect();
    let mut order = Vec::with_capacity(names.len());
    for name in names {
        visit(name, &mut left, &mut order);
    }
    order
}
