//! A session: which scope, which backend and why, the receipts, and the managers that were opened.
//!
//! Every command that looks at or changes the machine begins with one. Nothing is opened before it is needed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::apply::{self, Edge};
use crate::backend::{self, Backend, BackendKind, Deadline, Manager, Progress, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::journal;
use crate::layout::{Layout, Scope};
use crate::receipt::{self, Receipt};
use crate::system::{self, lock::Lock};

mod choice;
mod selection;

use choice::choose;

pub use choice::Choice;
pub use selection::{Missing, Selection, in_order, is_manifest, near};

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
        let mut session = Self::bare(options)?;
        session.call_ahead();
        if words.is_empty() || words.iter().any(|word| is_manifest(word)) {
            session.read_receipts()?;
        } else {
            let services = words.iter().map(|word| word.split_once('@').map_or(word.as_str(), |(service, _)| service));
            session.receipts = receipt::of(&session.layout, services)?;
        }
        Ok(session)
    }

    /// The manager of this machine is most likely asked, and may well wake up while the receipts are read.
    fn call_ahead(&mut self) {
        let scope = self.layout.scope;
        if !self.offline()
            && let Ok(choice) = self.choice()
            && let Some(backend) = backend::find(choice.backend)
        {
            backend.call_ahead(scope);
        }
    }

    fn with(options: Options, read: impl FnOnce(&Layout) -> Result<BTreeMap<String, Receipt>>) -> Result<Self> {
        if let Some(kind) = options.backend {
            backend(kind)?;
        }
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
