//! The service control manager, as a manager.

use std::collections::BTreeMap;
use std::path::Path;

use super::codes::{Code, Tried};
use super::entry::Desk;
use super::guard;
use super::identity;
use super::rights::Ledger;
use super::scm::{Change, Held, ScmApi, Seen, access, start, state};
use super::seen::{at_boot, last_exit, state_of};
use super::verbs::Hands;
use crate::backend::windows::config::{ScmConfig, SidType, service_at};
use crate::backend::{Artifact, Body, Deadline, Detail, Manager, Progress, Target, UnitResult, UnitState};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::host::state as host_state;
use crate::layout::below;
use crate::logs::{LogQuery, Sink};
use crate::receipt::{self, Fingerprint};
use crate::report::{Effect, LastExit, Sent, State, Status, Wanted};
use crate::service::Service;
use crate::system::files;
use crate::system::password::Password;

/// See the module.
pub(super) struct Scm {
    pub(super) api: Box<dyn ScmApi>,
    pub(super) target: Target,
    ledger: Ledger,
    passwords: BTreeMap<String, Password>,
    /// What the receipts said before anything was changed.
    installed: BTreeMap<String, Option<ScmConfig>>,
}

impl Scm {
    pub(super) fn new(api: Box<dyn ScmApi>, target: Target) -> Self {
        let ledger = Ledger::at(target.layout.on_disk(&below(&target.layout.state, "rights.json")));
        Self { api, target, ledger, passwords: BTreeMap::new(), installed: BTreeMap::new() }
    }

    /// What install put there last, by the receipt.
    fn installed(&mut self, service: &str) -> Result<Option<ScmConfig>> {
        if let Some(known) = self.installed.get(service) {
            return Ok(known.clone());
        }
        let name = service.split_once('@').map_or(service, |(name, _)| name);
        let receipts = receipt::of(&self.target.layout, [name])?;
        let config =
            receipts.values().flat_map(|receipt| &receipt.artifacts).find_map(|installed| match &installed.what {
                Fingerprint::Scm(config) if config.name == service => Some((**config).clone()),
                _ => None,
            });
        self.installed.insert(service.to_owned(), config.clone());
        Ok(config)
    }

    fn desk<'a>(&'a self, installed: Option<&'a ScmConfig>) -> Desk<'a> {
        Desk { api: self.api.as_ref(), ledger: &self.ledger, installed }
    }

    /// What a service is doing and how it starts; None: there is none.
    fn look(&self, id: &str) -> Result<Option<(Seen, u32)>> {
        let tried = || format!("look at the service `{id}`");
        let held = match Held::open(self.api.as_ref(), id, access::QUERY_STATUS | access::QUERY_CONFIG) {
            Err(Code::SERVICE_DOES_NOT_EXIST) => return Ok(None),
            held => held.tried(tried())?,
        };
        let seen = self.api.seen(held.raw).tried(tried())?;
        Ok(Some((seen, self.api.basic(held.raw).tried(tried())?.start)))
    }

    /// Lets a service's own account read what its host reads, and write what it writes.
    fn let_host(&self, id: &str, config: &ScmConfig) -> Result<()> {
        let sid = match config.sid_type {
            SidType::None => self.desk(None).sid(&config.account)?,
            SidType::Unrestricted | SidType::Restricted => Some(identity::service_sid(id)),
        };
        let Some(sid) = sid.filter(|_| !config.account.eq_ignore_ascii_case("LocalSystem")) else { return Ok(()) };
        let layout = &self.target.layout;
        let read = [layout.spec(id), below(&layout.secrets(), id)];
        for path in read.map(|path| layout.on_disk(&path)) {
            if crate::system::exists(&path) {
                self.let_at(&path, &sid, false)?;
            }
        }
        for path in guard::written_by_host(layout, id).map(|path| layout.on_disk(&path)) {
            files::make_folders(&path, 0o755)?;
            self.let_at(&path, &sid, true)?;
        }
        Ok(())
    }

    fn let_at(&self, path: &Path, sid: &str, change: bool) -> Result<()> {
        match self.api.let_at_file(path, sid, change) {
            Err(code) if code.is_unsupported() => Ok(()),
            done => done.tried(format_args!("let the service at `{}`", path.display())),
        }
    }

    /// The words of the host, and the last lines of a unit that failed.
    fn why(&self, units: &[Service], id: &str) -> Option<String> {
        let ended = host_state::of_shim(&self.target.layout, id, None).ok().flatten();
        let reason =
            ended.and_then(|record| record.machine.reason.clone().or_else(|| record.last_exit().map(|l| l.reason)));
        let unit = units.iter().find(|unit| unit.id() == id)?;
        let mut lines = Lines(Vec::new());
        let query = LogQuery { lines: Some(LAST_LINES), ..LogQuery::default() };
        // A log that cannot be read is no reason to hide why the service failed.
        let _ =
            crate::backend::embedded::file_logs(&self.target.layout, std::slice::from_ref(unit), &query, &mut lines);
        let told: Vec<String> = reason.into_iter().chain(lines.0).collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }

    fn hands<T>(
        &mut self,
        units: &[Service],
        deadline: Deadline,
        progress: &mut dyn Progress,
        act: impl FnOnce(&mut Hands<'_>) -> T,
    ) -> T {
        let reason = |id: &str| self.why(units, id);
        let down_within = |id: &str, seen: &Seen, effect: Effect| {
            let record = self.record(id, seen).filter(|_| seen.pid != 0)?;
            let ended = matches!(record.machine.word(), State::Backoff | State::Failed | State::GaveUp);
            // A host begins anew: what it has started again has not stayed up.
            let again = effect == Effect::Started && record.machine.restarts > 0;
            (ended || again)
                .then(|| record.last_exit().map_or_else(|| "its program ended".to_owned(), |last| last.reason))
        };
        act(&mut Hands { api: self.api.as_ref(), deadline, progress, reason: &reason, down_within: &down_within })
    }

    fn set_start(&self, units: &[Service], to: u32) -> Result<()> {
        for unit in units {
            let id = unit.id();
            let tried = || format!("change the start of `{id}`");
            let held = match Held::open(self.api.as_ref(), &id, access::CHANGE_CONFIG) {
                Err(Code::SERVICE_DOES_NOT_EXIST) => continue,
                held => held.tried(tried())?,
            };
            self.api.change(held.raw, &Change { start: Some(to), ..Change::default() }).tried(tried())?;
        }
        Ok(())
    }
}

/// The last lines of a service that failed, shown with the failure.
const LAST_LINES: usize = 10;

struct Lines(Vec<String>);

impl Sink for Lines {
    fn line(&mut self, line: crate::logs::LogLine) -> std::ops::ControlFlow<()> {
        self.0.push(line.message);
        std::ops::ControlFlow::Continue(())
    }

    fn idle(&mut self) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Continue(())
    }
}

impl Manager for Scm {
    fn verify(&mut self, files: &[Artifact]) -> Result<()> {
        // What the manager would refuse only at the start of a service is looked at before anything is changed.
        for artifact in files {
            let Body::Scm(config) = &artifact.body else { continue };
            for dependency in config.dependencies.iter().filter(|name| !name.starts_with('+')) {
                let ours = files.iter().any(|other| match &other.body {
                    Body::Scm(other) => other.name.eq_ignore_ascii_case(dependency),
                    _ => false,
                });
                if !ours && self.look(dependency)?.is_none() {
                    return Err(Error::new(
                        Exit::Manifest,
                        format!("`{}` depends on `{dependency}`, and there is no such service", config.name),
                    )
                    .hint("the names of services are those that `Get-Service` shows, not the display names"));
                }
            }
        }
        Ok(())
    }

    fn guard(&mut self, manifest: &Path, services: &[Service]) -> Result<Vec<String>> {
        guard::look(self.api.as_ref(), manifest, services)
    }

    fn has_password(&self, config: &ScmConfig) -> bool {
        identity::logon(&config.account) == identity::Logon::Password
    }

    fn wants_password(&mut self, config: &ScmConfig) -> Result<bool> {
        let installed = self.installed(&config.name)?;
        let desk = self.desk(installed.as_ref());
        let Some(live) = desk.read(&config.name)? else { return Ok(true) };
        Ok(desk.told(&live, Some(config))?.account != config.account)
    }

    fn take_password(&mut self, account: &str, password: Password) {
        self.passwords.insert(account.to_lowercase(), password);
    }

    fn entry(&mut self, path: &Path, wanted: Option<&ScmConfig>) -> Result<Option<ScmConfig>> {
        let Some(name) = service_at(path) else {
            return Err(Error::failed(format!("`{}` is no service", path.display())));
        };
        let installed = self.installed(name)?;
        let desk = self.desk(installed.as_ref());
        desk.read(name)?.map(|live| desk.told(&live, wanted)).transpose()
    }

    fn put_entry(&mut self, path: &Path, wanted: Option<&ScmConfig>) -> Result<Vec<String>> {
        let Some(name) = service_at(path) else {
            return Err(Error::failed(format!("`{}` is no service", path.display())));
        };
        let installed = self.installed(name)?;
        let desk = self.desk(installed.as_ref());
        let Some(wanted) = wanted else {
            desk.remove(name)?;
            return Ok(Vec::new());
        };
        let put = desk.put(wanted, self.passwords.get(&wanted.account.to_lowercase()));
        // Done or half done: it is what a way back has to take away.
        self.installed.insert(name.to_owned(), Some(wanted.clone()));
        let notes = put?;
        self.let_host(name, wanted)?;
        Ok(notes)
    }

    fn observe(&mut self, units: &[Service]) -> Result<Vec<UnitState>> {
        let observe = |unit: &Service| {
            let id = unit.id();
            let Some((seen, start)) = self.look(&id)? else {
                return Ok(UnitState {
                    unit: id,
                    loaded: false,
                    state: State::NotInstalled,
                    wanted: None,
                    enabled: false,
                    pid: None,
                    origin: None,
                });
            };
            let mut state = state_of(&seen, unit);
            if state == State::Running
                && let Some(record) = self.record(&id, &seen)
            {
                state = record.machine.word();
            }
            Ok(UnitState {
                loaded: true,
                wanted: Some(if matches!(state_of(&seen, unit), State::Stopped | State::Completed) {
                    Wanted::Down
                } else {
                    Wanted::Up
                }),
                state,
                enabled: at_boot(start),
                pid: (seen.pid != 0).then_some(seen.pid),
                origin: Some(crate::backend::windows::config::path_of(&id)),
                unit: id,
            })
        };
        units.iter().map(observe).collect()
    }

    fn stops(&mut self, units: &[Service], since: jiff::Timestamp) -> BTreeMap<String, Vec<Sent>> {
        let ids: Vec<String> = units.iter().map(Service::id).collect();
        crate::host::events::read::stops(&self.target.layout, &ids, since)
    }

    fn status(&mut self, units: &[Service], _: Detail) -> Result<Vec<Status>> {
        let status = |unit: &Service| {
            let id = unit.id();
            let mut status = Status::not_installed(&id, "windows", self.target.scope);
            let Some((seen, start)) = self.look(&id)? else { return Ok(status) };
            status.state = state_of(&seen, unit);
            status.wanted = Some(if status.state == State::Stopped { Wanted::Down } else { Wanted::Up });
            status.hosted = true;
            status.enabled = Some(at_boot(start));
            status.pid = (seen.pid != 0).then_some(seen.pid);
            status.last_exit = last_exit(&seen);
            status.logs = Some(below(&self.target.layout.logs_of(&id), "current.log").display().to_string());
            let raw = state::name(seen.state);
            status.raw_state = Some(match Code(seen.exit) {
                _ if seen.state != state::STOPPED => raw.to_owned(),
                Code::SERVICE_SPECIFIC_ERROR => format!("{raw} (exit code 1066, {})", seen.specific),
                Code(code) => format!("{raw} (exit code {code})"),
            });
            if seen.exit == Code::SERVICE_NEVER_STARTED.0 && status.state == State::Stopped {
                status.notes.push("it was not started since the machine was".to_owned());
            }
            if let Some(host) = self.died(&id, &seen) {
                (status.state, status.wanted) = (State::Failed, Some(Wanted::Up));
                status.last_exit = Some(LastExit { code: None, signal: None, reason: host.clone(), at: None });
                status.notes.push(format!("{host}; {}", self.recovery(&id)));
            }
            Ok(status)
        };
        units.iter().map(status).collect()
    }

    fn reload(&mut self, changed: &[String]) -> Result<()> {
        // The manager needs nothing; but a file that was replaced has lost who may read it.
        for id in changed {
            if let Some(live) = self.desk(None).read(id)? {
                self.let_host(id, &live.config)?;
            }
        }
        Ok(())
    }

    fn enable(&mut self, units: &[Service]) -> Result<()> {
        self.set_start(units, start::AUTO)
    }

    fn disable(&mut self, units: &[Service]) -> Result<()> {
        self.set_start(units, start::DEMAND)
    }

    fn start(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        self.hands(units, deadline, progress, |hands| hands.start(units))
    }

    fn stop(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        self.hands(units, deadline, progress, |hands| hands.stop(units))
    }

    fn restart(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        self.hands(units, deadline, progress, |hands| hands.restart(units))
    }

    fn reload_units(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        self.hands(units, deadline, progress, |hands| hands.reload(units))
    }

    fn forget(&mut self, units: &[Service]) -> Result<()> {
        // A service that is deleted is forgotten; but its host has kept when a task ran, for one that catches up.
        for unit in units {
            let folder = self.target.layout.runtime.join("hosts").join(unit.id());
            files::remove(&crate::host::schedule::runs_in_folder(&folder))?;
        }
        Ok(())
    }

    fn lingers(&mut self) -> Result<Option<bool>> {
        Ok(None)
    }

    fn set_linger(&mut self, _: bool) -> Result<()> {
        Err(Error::new(Exit::Usage, "services of Windows have no lingering: they are the machine's"))
    }

    fn logs(&mut self, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
        crate::backend::embedded::file_logs(&self.target.layout, units, query, sink)
    }
}
