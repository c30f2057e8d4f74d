//! For programs built on the `service-manager` crate: its trait, met by daemonctl.
//!
//! `let manager = daemonctl::compat::Manager::native()?` takes the place of `<dyn ServiceManager>::native()`. What an
//! install context says becomes a manifest in daemonctl's state folder and goes down the same road as the command line:
//! checked first, verified by the manager's parser, rolled back when it fails, started only in the sense that it runs.

use std::io;
use std::path::PathBuf;

use service_manager::{
    RestartPolicy, ServiceInstallCtx, ServiceLabel, ServiceLevel, ServiceManager, ServiceManagerKind, ServiceStartCtx,
    ServiceStatus, ServiceStatusCtx, ServiceStopCtx, ServiceUninstallCtx,
};

use crate::backend::{BackendKind, Deadline, Detail, Silent};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::install;
use crate::layout::Scope;
use crate::prepare;
use crate::report::State;
use crate::session::{Missing, Options, Selection, Session};
use crate::system::{files, machine};

/// daemonctl behind the trait of the `service-manager` crate.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    options: Options,
}

impl Manager {
    /// The machine's own service manager, or daemonctl's supervisor where there is none; the system's services for
    /// root, the user's for anybody else.
    #[must_use]
    pub fn native() -> Self {
        Self::default()
    }

    /// A certain service manager. An error: this daemonctl has no backend for it.
    pub fn target(kind: ServiceManagerKind) -> io::Result<Self> {
        let backend = match kind {
            ServiceManagerKind::Systemd => BackendKind::Systemd,
            ServiceManagerKind::Launchd => BackendKind::Launchd,
            ServiceManagerKind::OpenRc => BackendKind::Openrc,
            ServiceManagerKind::Rcd => BackendKind::Rcd,
            ServiceManagerKind::Sc | ServiceManagerKind::WinSw => BackendKind::Windows,
        };
        crate::session::backend(backend).map_err(io_error)?;
        Ok(Self { options: Options { backend: Some(backend), ..Options::default() } })
    }

    fn session(&self) -> Result<Session> {
        Session::open(self.options.clone())
    }

    fn unit(session: &Session, label: &ServiceLabel) -> Result<(BackendKind, Vec<crate::service::Service>)> {
        let name = label.to_qualified_name();
        let selection = Selection::These { names: [name.clone()].into(), manifests: Vec::new() };
        let groups = session.select(&selection)?;
        groups.into_iter().next().ok_or_else(|| {
            let missing = Missing { names: vec![name], manifests: Vec::new() };
            missing.error(&session.receipts, session.layout.scope)
        })
    }

    fn install_checked(&self, ctx: &ServiceInstallCtx) -> Result<()> {
        let mut session = self.session()?;
        let mut progress = Silent;
        let name = ctx.label.to_qualified_name();
        let (_lock, _) = session.lock(&format!("install {name}"), &mut progress)?;
        let path = manifest_path(&session, &name);
        let on_disk = session.layout.on_disk(&path);
        let before = files::read(&on_disk)?;
        if let Some(folder) = on_disk.parent() {
            files::make_folders(folder, 0o755)?;
        }
        files::replace(&on_disk, manifest(ctx)?.as_bytes(), 0o600, None)?;
        let installed = (|| {
            let read = prepare::read(&on_disk)?;
            let kind = session.choice()?.backend;
            let target = session.target(kind)?;
            let facts = machine::Local::new(target.scope);
            let prepared = prepare::prepare(&read, target, &facts)?;
            let options = install::Options { no_start: true, ..install::Options::default() };
            install::install(&mut session, &prepared, &options, &mut progress).map(drop)
        })();
        if installed.is_err() {
            // The manifest goes with the install that it was for.
            match before {
                Some(bytes) => files::replace(&on_disk, &bytes, 0o600, None)?,
                None => drop(files::remove(&on_disk)?),
            }
        }
        installed
    }

    fn uninstall_checked(&self, label: &ServiceLabel) -> Result<()> {
        let mut session = self.session()?;
        let mut progress = Silent;
        let name = label.to_qualified_name();
        let (_lock, _) = session.lock(&format!("uninstall {name}"), &mut progress)?;
        if let Some(receipt) = session.receipts.get(&name).cloned() {
            let mut planned = install::plan_removal(&mut session, receipt.backend, &[receipt], &mut progress)?;
            install::uninstall(&mut session, &mut planned, format!("uninstall {name}"), &mut progress, None)?;
        }
        files::remove(&session.layout.on_disk(&manifest_path(&session, &name))).map(drop)
    }

    fn act(
        &self,
        label: &ServiceLabel,
        verb: impl FnOnce(&mut dyn crate::backend::Manager, &[crate::service::Service]) -> Vec<crate::backend::UnitResult>,
    ) -> Result<()> {
        let mut session = self.session()?;
        let (_lock, _) = session.lock(&label.to_qualified_name(), &mut Silent)?;
        let (kind, units) = Self::unit(&session, label)?;
        verb(session.manager(kind)?, &units).into_iter().try_for_each(|(_, result)| result.map(drop))
    }

    fn status_checked(&self, label: &ServiceLabel) -> Result<ServiceStatus> {
        let mut session = self.session()?;
        let (kind, units) = match Self::unit(&session, label) {
            Ok(found) => found,
            Err(error) if error.exit() == Exit::NotInstalled => return Ok(ServiceStatus::NotInstalled),
            Err(error) => return Err(error),
        };
        let statuses = session.manager(kind)?.status(&units, Detail::Table)?;
        Ok(match statuses.first() {
            None => ServiceStatus::NotInstalled,
            Some(status) if status.state == State::NotInstalled => ServiceStatus::NotInstalled,
            Some(status) if matches!(status.state, State::Running | State::Starting) => ServiceStatus::Running,
            Some(status) => ServiceStatus::Stopped(Some(match &status.last_exit {
                Some(last) => format!("{}: {}", status.state.name(), last.reason),
                None => status.state.name().to_owned(),
            })),
        })
    }
}

impl ServiceManager for Manager {
    fn available(&self) -> io::Result<bool> {
        // There is always a way: the embedded supervisor, if nothing else.
        self.session().and_then(|mut session| session.choice()).map(|_| true).map_err(io_error)
    }

    fn install(&self, ctx: ServiceInstallCtx) -> io::Result<()> {
        self.install_checked(&ctx).map_err(io_error)
    }

    fn uninstall(&self, ctx: ServiceUninstallCtx) -> io::Result<()> {
        self.uninstall_checked(&ctx.label).map_err(io_error)
    }

    fn start(&self, ctx: ServiceStartCtx) -> io::Result<()> {
        self.act(&ctx.label, |manager, units| manager.start(units, Deadline::after(None), &mut Silent))
            .map_err(io_error)
    }

    fn stop(&self, ctx: ServiceStopCtx) -> io::Result<()> {
        self.act(&ctx.label, |manager, units| manager.stop(units, Deadline::after(None), &mut Silent)).map_err(io_error)
    }

    fn level(&self) -> ServiceLevel {
        match self.options.scope.unwrap_or_else(machine::default_scope) {
            Scope::System => ServiceLevel::System,
            Scope::User => ServiceLevel::User,
        }
    }

    fn set_level(&mut self, level: ServiceLevel) -> io::Result<()> {
        self.options.scope = Some(match level {
            ServiceLevel::System => Scope::System,
            ServiceLevel::User => Scope::User,
        });
        Ok(())
    }

    fn status(&self, ctx: ServiceStatusCtx) -> io::Result<ServiceStatus> {
        self.status_checked(&ctx.label).map_err(io_error)
    }
}

/// Where the manifest of a service that a program installed lies.
fn manifest_path(session: &Session, name: &str) -> PathBuf {
    session.layout.state.join("manifests").join(format!("{name}.toml"))
}

/// The manifest that says what the context says. Native file contents are refused: they would bypass every check.
fn manifest(ctx: &ServiceInstallCtx) -> Result<String> {
    use toml::Value;
    let refuse = |what: &str| Error::new(Exit::Manifest, format!("`{}`: {what}", ctx.label.to_qualified_name()));
    if ctx.contents.is_some() {
        return Err(refuse("native file contents cannot be given to daemonctl")
            .hint("describe the service by the other fields"));
    }
    let text =
        |value: &std::ffi::OsStr| value.to_str().map(literal).ok_or_else(|| refuse("a path or argument is not UTF-8"));
    let mut exec = vec![text(ctx.program.as_os_str())?];
    for argument in &ctx.args {
        exec.push(text(argument)?);
    }
    let mut service = toml::Table::new();
    service.insert("exec".into(), Value::Array(exec.into_iter().map(Value::String).collect()));
    if let Some(user) = &ctx.username {
        service.insert("user".into(), Value::String(literal(user)));
    }
    if let Some(folder) = &ctx.working_directory {
        service.insert("working_dir".into(), Value::String(text(folder.as_os_str())?));
    }
    if let Some(environment) = &ctx.environment {
        let table = environment.iter().map(|(name, value)| (name.clone(), Value::String(literal(value)))).collect();
        service.insert("env".into(), Value::Table(table));
    }
    service.insert("start".into(), Value::String(if ctx.autostart { "boot" } else { "manual" }.into()));
    service.insert("restart".into(), Value::Table(restart(ctx.restart_policy)));
    let services = toml::Table::from_iter([(ctx.label.to_qualified_name(), Value::Table(service))]);
    let manifest =
        toml::Table::from_iter([("manifest".into(), Value::Integer(1)), ("service".into(), Value::Table(services))]);
    toml::to_string(&manifest).map_err(|error| refuse(&error.to_string()))
}

fn restart(policy: RestartPolicy) -> toml::Table {
    use toml::Value;
    let mut table = toml::Table::new();
    let (name, delay) = match policy {
        RestartPolicy::Never => ("never", None),
        RestartPolicy::Always { delay_secs } => ("always", delay_secs),
        RestartPolicy::OnFailure { delay_secs, .. } => ("on-failure", delay_secs),
        RestartPolicy::OnSuccess { delay_secs } => ("on-success", delay_secs),
    };
    table.insert("policy".into(), Value::String(name.into()));
    if let Some(delay) = delay {
        table.insert("delay".into(), Value::String(format!("{delay}s")));
    }
    if let RestartPolicy::OnFailure { max_retries: Some(count @ 1..), reset_after_secs, .. } = policy {
        // The crate's "retries until it has run this long" is a limit within that time.
        let within = reset_after_secs.unwrap_or(300).max(1 + count * delay.unwrap_or(1));
        let limit = toml::Table::from_iter([
            ("count".into(), Value::Integer(i64::from(count))),
            ("within".into(), Value::String(format!("{within}s"))),
        ]);
        table.insert("limit".into(), Value::Table(limit));
    }
    table
}

/// A text that means itself: no `$` of it is an interpolation.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn io_error(error: Error) -> io::Error {
    let kind = match error.exit() {
        Exit::NotPermitted => io::ErrorKind::PermissionDenied,
        Exit::NotInstalled => io::ErrorKind::NotFound,
        Exit::TimedOut => io::ErrorKind::TimedOut,
        Exit::Manifest | Exit::Usage => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
