//! Running a service's program, and taking over one that runs.

use std::rc::Rc;

use super::notify::Socket;
use super::pump::Pipe;
use super::unit::SETTLE;
use super::{Engine, Id, Seen};
use crate::error::{Error, IoContext, Result};
use crate::host::sys::{self, Group, Launch, Output};
use crate::service::{HealthCheck, ReadyWhen};

impl Engine {
    pub(super) fn spawn(&mut self, id: &Id) -> Result<()> {
        self.ensure_pipes(id)?;
        let random = self.next_random();
        let invocation: Rc<str> = format!("{}{id}/{random:016x}", self.mark).into();
        let Some(unit) = self.units.get_mut(id) else { return Err(Error::failed("the unit is gone")) };
        unit.invocation = invocation;
        unit.main = None;
        unit.healthy = None;
        unit.checks.clear();
        unit.says = None;
        self.open_notify(id, None)?;
        self.watch_files(id);
        let group = self.group_of(id)?;
        self.make_credentials(id)?;
        let mut setting = self.try_setting(id)?;
        let teller = self.teller(id);
        let Some(unit) = self.units.get_mut(id) else { return Err(Error::failed("the unit is gone")) };
        unit.cgroup = group;
        let service = &unit.service;
        if let Some(health) = service.health.as_ref().filter(|health| health.check == HealthCheck::Heartbeat) {
            setting.env.push(("WATCHDOG_USEC".into(), health.interval.as_micros().to_string()));
        }
        if !setting.dir.is_dir() {
            return Err(Error::failed(format!("its working_dir `{}` does not exist", setting.dir.display())));
        }
        let open = |pipe: Option<&Rc<Pipe>>| match pipe {
            Some(pipe) => pipe.child_end().open().map(Output::File),
            None => Ok(Output::Null),
        };
        let stdout = open(unit.pipes.first())?;
        let stderr = if unit.pipes.len() > 1 { open(unit.pipes.get(1))? } else { Output::Stdout };
        let launch = Launch {
            argv: &service.exec,
            env: setting.env,
            dir: setting.dir,
            umask: service.effective_umask(),
            account: &setting.account,
            group: unit.cgroup.as_ref(),
            mark: &unit.invocation,
            sandbox: setting.sandbox.as_deref(),
            open_files: service.limits.open_files,
            stop: service.stop.signal,
            priority: service.limits.priority,
            stdin: None,
            stdout,
            stderr,
        };
        let pid = sys::spawn(launch).map_err(|error| not_run(&service.exec, setting.sandbox.is_some(), &error))?;
        unit.main = Some(sys::identify(pid).unwrap_or(sys::Identity { pid, started: 0 }));
        unit.far = false;
        unit.loaded = !(sys::LOADS_LATER && unit.settles());
        if !unit.loaded {
            tokio::task::spawn_local(async move {
                tokio::time::sleep(SETTLE).await;
                sys::until_another_ran().await;
                teller.tell(Seen::Loaded);
            });
        }
        self.mains.insert(pid, Rc::clone(id));
        Ok(())
    }

    /// The control group of a unit that has limits, made if need be.
    pub(super) fn group_of(&self, id: &Id) -> Result<Option<Group>> {
        let Some(unit) = self.units.get(id) else { return Ok(None) };
        let name = format!("daemonctl-{}{id}", self.mark.replace('/', "-"));
        Group::make(&unit.service.limits, &unit.service.native, &name)
    }

    /// The socket that the service's `NOTIFY_SOCKET` names, where it is asked to speak.
    pub(super) fn open_notify(&mut self, id: &Id, kept: Option<sys::Kept>) -> Result<()> {
        let teller = self.teller(id);
        let path = sys::notify_path(&self.options.runtime, id);
        let pass_on = self.passed_on.as_ref().is_some_and(super::notify::Above::hears_services);
        let Some(unit) = self.units.get(id) else { return Ok(()) };
        let service = &unit.service;
        let ready = service.ready.as_ref().is_some_and(|ready| ready.when == ReadyWhen::Notify);
        let beats = service.health.as_ref().is_some_and(|health| health.check == HealthCheck::Heartbeat);
        if ready || beats || pass_on {
            let owner = self.account_of(service)?.owner();
            let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
            unit.notify = None;
            let socket = Socket::open(path, owner, kept, teller).doing("open the socket for sd_notify")?;
            unit.notify = Some(socket);
            self.keep_socket(id);
        }
        Ok(())
    }

    /// Goes on with a main process that an earlier supervisor started.
    pub(super) fn adopt(&mut self, id: &Id) {
        // A pipe that can't be opened is told by `status`; the service is not hurt by it.
        let _ = self.ensure_pipes(id);
        let kept = self.kept_socket(id);
        let _ = self.open_notify(id, kept);
        self.watch_files(id);
        let group = self.group_of(id).ok().flatten();
        let teller = self.teller(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        unit.cgroup = group;
        let Some(main) = unit.main else { return };
        // A child of the program that this process was: its end comes to us, exit code and all.
        unit.far = !sys::is_child(main.pid);
        if unit.far {
            super::watch::watch_far(main, teller);
        } else {
            self.mains.insert(main.pid, Rc::clone(id));
        }
    }
}

fn not_run(exec: &[String], shut_in: bool, error: &std::io::Error) -> Error {
    let program = exec.first().map_or("", String::as_str);
    let text = format!("cannot run `{program}`: {error}");
    if error.kind() == std::io::ErrorKind::NotFound && std::path::Path::new(program).exists() {
        return Error::failed(format!(
            "{text} (the file exists: the interpreter in its first line, or its loader, does not)"
        ));
    }
    if shut_in && error.kind() != std::io::ErrorKind::NotFound {
        return Error::failed(format!("{text} (or its sandbox could not be made)"));
    }
    Error::failed(text)
}
