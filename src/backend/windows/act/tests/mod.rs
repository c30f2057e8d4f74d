//! The Windows backend through the seam: whole commands, with the service control manager in memory.

use std::path::PathBuf;
use std::sync::LazyLock;

use super::manager::Scm;
use super::scm::fake::{Fake, Service as FakeService};
use crate::apply::Effects;
use crate::backend::{BackendKind, Deadline, Manager, Silent, Target, UnitResult};
use crate::error::{Error, Result};
use crate::facts::Foreign;
use crate::install::{self, Options, Planned, Prepared};
use crate::layout::{Layout, Scope, below};
use crate::manifest::{self, ResolveDirs};
use crate::report::Effect;
use crate::service::Service;
use crate::session::Session;
use crate::support;
use crate::system::password::PasswordFrom;

mod accounts;
mod configuration;
mod removal;
mod status;
mod verbs;

/// Copies of the host are large, and the same for all.
static BINARIES: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// A machine with Windows' services and folders of its own.
struct Box_ {
    scm: Fake,
    folder: tempfile::TempDir,
    layout: Layout,
}

impl Box_ {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let layout = Layout {
            scope: Scope::System,
            root: None,
            state: at("state"),
            runtime: at("run"),
            logs: at("logs"),
            config: at("config"),
            binaries: BINARIES.path().to_owned(),
        };
        Self { scm: Fake::default(), folder, layout }
    }

    fn target(&self) -> Target {
        Target {
            backend: BackendKind::Windows,
            os: "windows",
            scope: Scope::System,
            version: None,
            layout: self.layout.clone(),
            local: true,
            background: false,
            host_binary: crate::system::host_binary::path(&self.layout).unwrap(),
        }
    }

    fn manager(&self) -> Box<dyn Manager> {
        Box::new(Scm::new(Box::new(self.scm.clone()), self.target()))
    }

    fn session(&self) -> Session {
        Session::of_test(self.layout.clone(), BackendKind::Windows, self.manager()).unwrap()
    }

    fn prepared(&self, text: &str) -> Prepared {
        let path = self.folder.path().join("m.toml");
        std::fs::write(&path, text).unwrap();
        let parsed = manifest::parse(text.as_bytes(), &path).unwrap_or_else(|error| panic!("{error}"));
        let dirs = ResolveDirs { manifest_dir: r"C:\srv".into() };
        let target = self.target();
        let services = manifest::resolve(&parsed, &target, &Foreign, &dirs).unwrap_or_else(|error| panic!("{error}"));
        let hosting =
            support::decide_all(&crate::backend::windows::Windows, &services, &target, parsed.source()).unwrap();
        Prepared {
            manifest: path,
            manifest_sha256: crate::receipt::sha256(text.as_bytes()),
            target,
            services: services.into_iter().zip(hosting).collect(),
        }
    }

    /// `daemonctl install`.
    fn install(&self, text: &str) -> Result<(Planned, Effects)> {
        self.install_with(text, &Options::default())
    }

    fn install_with(&self, text: &str, options: &Options) -> Result<(Planned, Effects)> {
        let mut session = self.session();
        let (_lock, _) = session.lock("install", &mut Silent)?;
        let done = install::install(&mut session, &self.prepared(text), options, &mut Silent);
        assert_eq!(self.scm.open_handles(), 0, "a handle was left open");
        done
    }

    /// `daemonctl uninstall`.
    fn uninstall(&self, name: &str) -> Result<Planned> {
        let mut session = self.session();
        let (_lock, _) = session.lock("uninstall", &mut Silent)?;
        let receipt = session.receipts[name].clone();
        let mut planned = install::plan_removal(&mut session, BackendKind::Windows, &[receipt], &mut Silent)?;
        install::uninstall(&mut session, &mut planned, "uninstall".to_owned(), &mut Silent, None)?;
        Ok(planned)
    }

    fn service(&self, name: &str) -> Option<FakeService> {
        self.scm.machine.borrow().services.get(&name.to_lowercase()).cloned()
    }

    fn is_running(&self, name: &str) -> bool {
        self.service(name).is_some_and(|service| service.seen.state == super::scm::state::RUNNING)
    }

    fn units(&self, text: &str) -> Vec<Service> {
        self.prepared(text).services.into_iter().flat_map(|(service, _)| service.units()).collect()
    }

    fn verb(
        &self,
        text: &str,
        verb: impl FnOnce(&mut dyn Manager, &[Service]) -> Vec<UnitResult>,
    ) -> Vec<(String, std::result::Result<Effect, Error>)> {
        let units = self.units(text);
        verb(self.manager().as_mut(), &units)
    }

    fn spec(&self, name: &str) -> PathBuf {
        below(&self.layout.specs(), &format!("{name}.json"))
    }
}

fn start(manager: &mut dyn Manager, units: &[Service]) -> Vec<UnitResult> {
    manager.start(units, Deadline::after(None), &mut Silent)
}

fn stop(manager: &mut dyn Manager, units: &[Service]) -> Vec<UnitResult> {
    manager.stop(units, Deadline::after(None), &mut Silent)
}

/// Everything that an error says.
fn told(error: &Error) -> String {
    format!("{error}\n{}\n{}", error.details().join("\n"), error.hints().join("\n"))
}

const WEB: &str = "[service.web]\nexec = ['C:\\srv\\web.exe']\n";
