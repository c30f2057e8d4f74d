//! A session: which scope, which backend and why, the receipts, and the managers that were opened.
//!
//! Every command that looks at or changes the machine begins with one. Nothing is opened before it is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::apply::{self, Edge};
use crate::backend::{self, Backend, BackendKind, Deadline, Manager, Progress, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::journal;
use crate::layout::{Layout, Scope};
use crate::receipt::{self, Receipt};
use crate::service::Service;
use crate::system::{self, lock::Lock};

/// What the global flags say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--system`, `--user`; None: root or an elevated administrator means system, anybody else user.
    pub scope: Option<Scope>,
    /// `--backend NAME`.
    pub backend: Option<BackendKind>,
    /// `--root DIR`.
    pub root: Option<PathBuf>,
}

/// The answer to "who runs services here".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The backend.
    pub backend: BackendKind,
    /// Why, in words.
    pub why: String,
}

/// See the module.
pub struct Session {
    /// The folders of the scope.
    pub layout: Layout,
    /// What was installed, by service name.
    pub receipts: BTreeMap<String, Receipt>,
    /// Of all receipts, when they were read.
    stamp: Option<receipt::Stamp>,
    options: Options,
    choice: Option<Choice>,
    managers: BTreeMap<BackendKind, Box<dyn Manager>>,
}

impl Session {
    /// Reads the receipts of the scope.
    pub fn open(options: Options) -> Result<Self> {
        Self::with(options, receipt::all)
    }

    /// Without the receipts.
    pub fn bare(options: Options) -> Result<Self> {
        let mut session = Self::with(options, |_| Ok(BTreeMap::new()))?;
        session.stamp = None;
        Ok(session)
    }

    /// Reads the receipts that an answer about these words of a command line takes; a manifest, or none, takes all.
    /// For commands that change nothing, and ask for nothing else.
    pub fn open_for(options: Options, words: &[String]) -> Result<Self> {
        if words.is_empty() || words.iter().any(|word| is_manifest(word)) {
            return Self::open(options);
        }
        let services = words.iter().map(|word| word.split_once('@').map_or(word.as_str(), |(service, _)| service));
        let mut session = Self::with(options, |layout| receipt::of(layout, services))?;
        // These are not all.
        session.stamp = None;
        Ok(session)
    }

    fn with(options: Options, read: impl FnOnce(&Layout) -> Result<BTreeMap<String, Receipt>>) -> Result<Self> {
        let scope = options.scope.unwrap_or_else(system::machine::default_scope);
        let layout = system::machine::layout(scope, options.root.clone())?;
        // Before they are read: what changes meanwhile counts as a change.
        let stamp = receipt::stamp(&layout);
        let receipts = read(&layout)?;
        Ok(Self { layout, receipts, stamp, options, choice: None, managers: BTreeMap::new() })
    }

    /// A session with a manager and folders of a test's own.
    #[cfg(test)]
    pub(crate) fn of_test(layout: Layout, kind: BackendKind, manager: Box<dyn Manager>) -> Result<Self> {
        let receipts = receipt::all(&layout)?;
        let choice = Some(Choice { backend: kind, why: "a test".to_owned() });
        Ok(Self {
            layout,
            receipts,
            stamp: None,
            options: Options::default(),
            choice,
            managers: BTreeMap::from([(kind, manager)]),
        })
    }

    /// The backend for what is installed from now on, and why.
    pub fn choice(&mut self) -> Result<Choice> {
        if let Some(choice) = &self.choice {
            return Ok(choice.clone());
        }
        let choice = choose(&self.options, self.layout.scope)?;
        self.choice = Some(choice.clone());
        Ok(choice)
    }

    /// Whether the services lie in an image: no manager is asked.
    #[must_use]
    pub fn offline(&self) -> bool {
        self.layout.root.is_some()
    }

    /// The target that `kind` is on this machine.
    pub fn target(&self, kind: BackendKind) -> Result<Target> {
        if self.offline() {
            return self.unversioned(kind);
        }
        let (backend, scope) = (backend(kind)?, self.layout.scope);
        Ok(Target { version: backend.version(scope), background: backend.background(scope), ..self.unversioned(kind)? })
    }

    /// The same without asking the manager for its version, which only matters to what is rendered and verified.
    pub fn unversioned(&self, kind: BackendKind) -> Result<Target> {
        Ok(Target {
            backend: kind,
            os: system::machine::os_name(),
            scope: self.layout.scope,
            version: None,
            layout: self.layout.clone(),
            local: !self.offline(),
            background: false,
            host_binary: system::host_binary::path(&self.layout)?,
        })
    }

    /// The manager of `kind`, opened at the first call.
    pub fn manager(&mut self, kind: BackendKind) -> Result<&mut dyn Manager> {
        if !self.managers.contains_key(&kind) {
            let manager: Box<dyn Manager> = if self.offline() {
                Box::new(backend::offline::Offline)
            } else {
                backend(kind)?.connect(&self.unversioned(kind)?)?
            };
            self.managers.insert(kind, manager);
        }
        match self.managers.get_mut(&kind) {
            Some(manager) => Ok(manager.as_mut()),
            None => Err(Error::failed(format!("the {} manager could not be opened", kind.name()))),
        }
    }

    /// What a plan's steps are taken with.
    pub fn edge<'a>(
        &'a mut self,
        kind: BackendKind,
        deadline: Deadline,
        progress: &'a mut dyn Progress,
    ) -> Result<Edge<'a>> {
        self.manager(kind)?;
        let Self { layout, managers, .. } = self;
        match managers.get_mut(&kind) {
            Some(manager) => Ok(Edge { layout, manager: manager.as_mut(), progress, deadline, notes: Vec::new() }),
            None => Err(Error::failed(format!("the {} manager could not be opened", kind.name()))),
        }
    }

    /// Takes the scope's lock, and finishes or rolls back what a killed command left. The notes tell of that. Since
    /// another command may have been waited for, the receipts are read again.
    pub fn lock(&mut self, command: &str, progress: &mut dyn Progress) -> Result<(Lock, Vec<String>)> {
        let (lock, notes) = self.lock_bare(command, progress)?;
        if self.stamp.is_none() || self.stamp != receipt::stamp(&self.layout) {
            self.read_receipts()?;
        }
        Ok((lock, notes))
    }

    /// The same, and the receipts stay as they are.
    pub fn lock_bare(&mut self, command: &str, progress: &mut dyn Progress) -> Result<(Lock, Vec<String>)> {
        if !self.offline() {
            system::machine::check_elevated(self.layout.scope)?;
        }
        system::machine::make_state_folders(&self.layout)?;
        let path = self.layout.on_disk(&self.layout.lock());
        let lock = Lock::acquire(&path, command, LOCK_WAIT, progress)?;
        let mut notes = Vec::new();
        if let Some(leftover) = journal::leftover(&self.layout)? {
            let mut edge = self.edge(leftover.header.backend, Deadline::after(None), progress)?;
            notes.push(apply::recover(&mut edge, &leftover)?);
        }
        Ok((lock, notes))
    }

    /// Reads all receipts.
    pub fn read_receipts(&mut self) -> Result<()> {
        self.receipts = receipt::all(&self.layout)?;
        Ok(())
    }

    /// A word about what a killed command left, for commands that change nothing.
    pub fn leftover_note(&self) -> Option<String> {
        match journal::leftover(&self.layout) {
            Ok(Some(leftover)) if !system::lock::is_held(&self.layout.on_disk(&self.layout.lock())) => Some(format!(
                "`{}` (process {}) was cut short; the next command that changes anything recovers first",
                leftover.header.command, leftover.header.pid
            )),
            _ => None,
        }
    }

    /// Whether all that `selection` names is installed.
    pub fn check(&self, selection: &Selection) -> Result<()> {
        let is_missing = |wanted: &&str| !self.receipts.values().any(|receipt| names_unit(receipt, wanted));
        let missing: Vec<String> = selection.names().filter(is_missing).map(str::to_owned).collect();
        if missing.is_empty() { Ok(()) } else { Err(self.not_installed(&missing)) }
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

    /// The error for names that are not installed, with the nearest that are.
    #[must_use]
    pub fn not_installed(&self, names: &[String]) -> Error {
        let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let mut error = Error::new(
            Exit::NotInstalled,
            format!(
                "{} {} not installed in {} scope",
                quoted.join(", "),
                if names.len() == 1 { "is" } else { "are" },
                self.layout.scope.name()
            ),
        );
        for name in names {
            let nearest = self
                .receipts
                .keys()
                .map(|known| (strsim::damerau_levenshtein(known, name), known))
                .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
                .min();
            if let Some((_, known)) = nearest {
                error = error.hint(format!("did you mean `{known}`?"));
            }
        }
        error.hint(match self.layout.scope {
            Scope::System => "`daemonctl list` shows what is installed; services of a user need `--user`",
            Scope::User => "`daemonctl list` shows what is installed; services of the machine need `--system`",
        })
    }
}

/// How long a mutating command waits for another one of the same scope.
const LOCK_WAIT: Duration = Duration::from_secs(120);

/// The backend of a kind, or the error that it is not there.
pub fn backend(kind: BackendKind) -> Result<&'static dyn Backend> {
    backend::find(kind).ok_or_else(|| {
        let known: Vec<_> = backend::ALL.iter().map(|backend| backend.kind().name()).collect();
        Error::new(Exit::Usage, format!("the backend `{}` is not part of this daemonctl", kind.name()))
            .hint(format!("there are: {}", known.join(", ")))
    })
}

fn choose(options: &Options, scope: Scope) -> Result<Choice> {
    if let Some(kind) = options.backend {
        backend(kind)?;
        return Ok(Choice { backend: kind, why: "`--backend` says so".to_owned() });
    }
    if let Some(root) = &options.root {
        // An image is not running: what is in it tells who will run it.
        let systemd = ["usr/lib/systemd/systemd", "lib/systemd/systemd"].map(|path| root.join(path));
        if systemd.iter().any(|path| system::exists(path)) {
            return Ok(Choice {
                backend: BackendKind::Systemd,
                why: format!("`{}` has systemd in it", root.display()),
            });
        }
        if system::exists(&root.join("sbin/launchd")) {
            return Ok(Choice {
                backend: BackendKind::Launchd,
                why: format!("`{}` has launchd in it", root.display()),
            });
        }
        return Err(Error::new(
            Exit::Usage,
            format!("cannot tell which service manager will run `{}`", root.display()),
        )
        .hint("say which: `--backend systemd`, `--backend launchd` or `--backend embedded`"));
    }
    let mut refusals = Vec::new();
    for backend in backend::ALL {
        let detection = backend.detect(scope);
        if detection.found {
            return Ok(Choice { backend: backend.kind(), why: detection.why });
        }
        refusals.push(detection.why);
    }
    Ok(Choice {
        backend: BackendKind::Embedded,
        why: format!("no service manager runs this machine: {}", refusals.join("; ")),
    })
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

    fn names(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::All => None,
            Self::These { names, .. } => Some(names),
        }
        .into_iter()
        .flatten()
        .map(String::as_str)
    }

    /// The manifests named.
    #[must_use]
    pub fn manifests(&self) -> &[PathBuf] {
        match self {
            Self::All => &[],
            Self::These { manifests, .. } => manifests,
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

fn names_unit(receipt: &Receipt, name: &str) -> bool {
    let service = &receipt.service;
    name == service.name
        || name.split_once('@').is_some_and(|(base, instance)| {
            base == service.name && service.instances.iter().any(|known| known == instance)
        })
}
