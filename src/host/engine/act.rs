//! The machine's actions, carried out.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::command::Setting;
use super::notify::Socket;
use super::probe::words_for as probe_words;
use super::pump::{Pipe, Teller};
use super::unit::Unit;
use super::{Echo, Engine, Id, Input};
use crate::error::{Error, IoContext, Result};
use crate::host::cgroup::Group;
use crate::host::env::{self, Environment};
use crate::host::logs::format::Dresser;
use crate::host::logs::writer::Writer;
use crate::host::machine::{Action, Event, Stage};
use crate::host::sys::{self, Launch, Output};
use crate::host::words;
use crate::logs::Stream;
use crate::service::{
    HealthCheck, HookAction, HookFailure, LogFile, LogFormat, Priority, ReadyWhen, ReloadAction, Secret, Service,
};

/// A reload action may take so long.
const RELOAD: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn act(&mut self, id: &Id, action: Action) {
        match action {
            Action::AwaitDependencies => self.check_dependencies(id),
            Action::AskConditions => self.ask_conditions(id),
            Action::RunHooks(stage) => self.run_hooks(id, stage),
            Action::Abandon => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.abandon();
                }
            }
            Action::Spawn => {
                let event = match self.spawn(id) {
                    Ok(()) => Event::Spawned,
                    Err(error) => Event::SpawnFailed(error.to_string()),
                };
                self.queue.push_front((Rc::clone(id), event));
            }
            Action::WatchReady => self.watch_ready(id),
            Action::WatchHealth => self.watch_health(id),
            Action::Unwatch => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.unwatch();
                }
            }
            Action::StopCommand => self.stop_command(id),
            Action::Signal => self.signal_main(id),
            Action::SignalRest => self.signal_rest(id, false),
            Action::Kill => self.kill(id),
            Action::Reload => self.reload(id),
        }
    }

    pub(super) fn teller(&self, id: &Id) -> Teller {
        let run = self.units.get(id).map_or_else(|| "".into(), |unit| Rc::clone(&unit.invocation));
        Teller { id: Rc::clone(id), run, tx: self.tx.clone() }
    }

    /// What a unit's commands are run with, if that can be had.
    pub(super) fn setting(&self, id: &Id) -> Option<Setting> {
        self.try_setting(id).ok()
    }

    fn try_setting(&self, id: &Id) -> Result<Setting> {
        let Some(unit) = self.units.get(id) else { return Err(Error::failed("the unit is gone")) };
        let service = &unit.service;
        let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
        let env = environment(service, &account, self.options.pass_on)?;
        Ok(setting_of(id, unit, account, env))
    }

    /// What an event hook is run with. Who is to be told that an `env_file` is gone must not need that file.
    pub(super) fn hook_setting(&self, id: &Id) -> Option<Setting> {
        let unit = self.units.get(id)?;
        let account = sys::account_of(unit.service.user.as_deref(), unit.service.group.as_deref()).ok()?;
        let env = environment(&unit.service, &account, self.options.pass_on)
            .unwrap_or_else(|_| env::base(&account.name, &account.home, &account.shell, crate::system::env));
        Some(setting_of(id, unit, account, env))
    }

    fn ask_conditions(&mut self, id: &Id) {
        let setting = self.try_setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let conditions = unit.service.wait_for.clone();
        unit.waiting = Some(format!(
            "waits for {}",
            conditions.iter().map(|wait| probe_words(&wait.probe)).collect::<Vec<_>>().join(", ")
        ));
        let task = tokio::task::spawn_local(async move {
            let result = async {
                let setting = setting.map_err(|error| error.to_string())?;
                for wait in conditions {
                    let mut last = String::new();
                    let asked = super::watch::until_well(&wait.probe, &commands, &setting, |message| last = message);
                    if tokio::time::timeout(wait.timeout, asked).await.is_err() {
                        let within = words::duration(wait.timeout);
                        return Err(format!("{} was not there within {within} ({last})", probe_words(&wait.probe)));
                    }
                }
                Ok(())
            }
            .await;
            let _ = tx.send(Input::Event(name, Event::Conditions(result)));
        });
        unit.work = Some(task.abort_handle());
    }

    fn run_hooks(&mut self, id: &Id, stage: Stage) {
        if let Err(error) = self.ensure_pipes(id) {
            return self.queue.push_back((Rc::clone(id), Event::Hooks(stage, Err(error.to_string()))));
        }
        let setting = self.try_setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let (hooks, word) = match stage {
            Stage::PreStart => (unit.service.hooks.pre_start.clone(), "pre_start"),
            Stage::PostStart => (unit.service.hooks.post_start.clone(), "post_start"),
            Stage::PreStop => (unit.service.hooks.pre_stop.clone(), "pre_stop"),
            Stage::PostStop => (unit.service.hooks.post_stop.clone(), "post_stop"),
        };
        unit.waiting = Some(format!("runs its {word} hooks"));
        let task = tokio::task::spawn_local(async move {
            let result = async {
                let setting = setting.map_err(|error| error.to_string())?;
                for hook in hooks {
                    let HookAction::Command(argv) = &hook.action else { continue };
                    if let Err(why) = commands.run(argv, &setting, hook.timeout).await
                        && hook.on_failure == HookFailure::Abort
                    {
                        return Err(format!("its {word} hook failed: {why}"));
                    }
                }
                Ok(())
            }
            .await;
            let _ = tx.send(Input::Event(name, Event::Hooks(stage, result)));
        });
        unit.work = Some(task.abort_handle());
    }

    fn stop_command(&mut self, id: &Id) {
        let setting = self.setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let (Some(argv), timeout) = (unit.service.stop.command.clone(), unit.service.stop.timeout) else { return };
        unit.sent(format!("stop command {}", argv.join(" ")), Vec::new());
        let task = tokio::task::spawn_local(async move {
            if let Some(setting) = setting {
                let _ = commands.run(&argv, &setting, timeout).await;
            }
            let _ = tx.send(Input::Event(name, Event::StopCommandDone));
        });
        unit.work = Some(task.abort_handle());
    }

    fn reload(&mut self, id: &Id) {
        let setting = self.try_setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let (reload, main) = (unit.service.reload.clone(), unit.main);
        tokio::task::spawn_local(async move {
            let result = async {
                let setting = setting.map_err(|error| error.to_string())?;
                let (Some(reload), Some(main)) = (reload, main) else {
                    return Err("it has no reload action".to_owned());
                };
                if let Some(check) = &reload.check {
                    commands.run(check, &setting, RELOAD).await.map_err(|why| format!("its check failed: {why}"))?;
                }
                match &reload.action {
                    ReloadAction::Signal(signal) => {
                        let sent = sys::lives(main) && sys::send(main.pid, sys::signal_number(*signal));
                        if sent { Ok(()) } else { Err("it ended meanwhile".to_owned()) }
                    }
                    ReloadAction::Command(argv) => commands.run(argv, &setting, RELOAD).await,
                    ReloadAction::Http(url) => {
                        let asked = tokio::time::timeout(RELOAD, super::http::request("POST", url, &[])).await;
                        match asked.unwrap_or_else(|_| Err(format!("{url}: no answer"))) {
                            Ok(200..=299) => Ok(()),
                            Ok(status) => Err(format!("{url} answered {status}")),
                            Err(why) => Err(why),
                        }
                    }
                }
            }
            .await;
            let _ = tx.send(Input::Reloaded(name, result));
        });
    }

    fn spawn(&mut self, id: &Id) -> Result<()> {
        self.ensure_pipes(id)?;
        let random = self.next_random();
        let invocation: Rc<str> = format!("{}{id}/{random:016x}", self.mark).into();
        let Some(unit) = self.units.get_mut(id) else { return Err(Error::failed("the unit is gone")) };
        unit.invocation = invocation;
        unit.main = None;
        unit.healthy = None;
        unit.checks.clear();
        unit.says = None;
        self.open_notify(id)?;
        self.watch_files(id);
        let group = self.group_of(id)?;
        let mut setting = self.try_setting(id)?;
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
            Some(pipe) => sys::open_fifo_for_child(pipe.path()).map(Output::File),
            None => Ok(Output::Null),
        };
        let (stdout, stderr) = (open(unit.pipes.first())?, open(unit.pipes.get(1).or(unit.pipes.first()))?);
        let launch = Launch {
            argv: &service.exec,
            env: setting.env,
            dir: setting.dir,
            umask: service.umask,
            account: &setting.account,
            join: unit
                .cgroup
                .iter()
                .map(Group::entrances)
                .next()
                .transpose()
                .doing("join the control group")?
                .unwrap_or_default(),
            open_files: service.limits.open_files,
            nice: service.limits.priority.map(nice),
            stdin: None,
            stdout,
            stderr,
        };
        let pid = sys::spawn(launch).map_err(|error| not_run(&service.exec, &error))?;
        unit.main = Some(sys::identify(pid).unwrap_or(sys::Identity { pid, started: 0 }));
        unit.far = false;
        self.mains.insert(pid, Rc::clone(id));
        Ok(())
    }

    /// The control group of a unit that has limits, made if need be.
    fn group_of(&self, id: &Id) -> Result<Option<Group>> {
        let Some(unit) = self.units.get(id) else { return Ok(None) };
        Group::make(&unit.service.limits, &format!("daemonctl-{}{id}", self.mark.replace('/', "-")))
    }

    /// The socket that the service's `NOTIFY_SOCKET` names, where it is asked to speak.
    pub(super) fn open_notify(&mut self, id: &Id) -> Result<()> {
        let teller = self.teller(id);
        let path = self.options.runtime.join("notify").join(&**id);
        let pass_on = self.passed_on.is_some();
        let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
        let service = &unit.service;
        let ready = service.ready.as_ref().is_some_and(|ready| ready.when == ReadyWhen::Notify);
        let beats = service.health.as_ref().is_some_and(|health| health.check == HealthCheck::Heartbeat);
        if ready || beats || pass_on {
            let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
            let owner = account.groups.is_some().then_some((account.uid, account.gid));
            unit.notify = None;
            let socket = Socket::open(path, owner, teller).doing("open the socket for sd_notify")?;
            unit.notify = Some(socket);
        }
        Ok(())
    }

    /// The pipes of a unit, made once and kept for its life.
    pub(super) fn ensure_pipes(&mut self, id: &Id) -> Result<()> {
        let folder = self.options.runtime.join("pipes");
        let (files, echo, host) = (self.options.files, self.options.echo, self.hostname.clone());
        let default = self.options.layout.logs_of(id).join("current.log");
        let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
        make_own_folders(&unit.service, &self.options.layout)?;
        if !unit.pipes.is_empty() && !unit.stale {
            return Ok(());
        }
        for pipe in unit.pipes.drain(..) {
            pipe.drain(&self.buffer);
        }
        unit.stale = false;
        let service = &unit.service;
        let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
        let owner = account.groups.is_some().then_some((account.uid, account.gid));
        let format = service.logs.format;
        let file = if files && service.logs.file.is_none() && echo == Echo::None {
            Some(LogFile::Default)
        } else {
            service.logs.file.clone().filter(|_| files)
        };
        let echo = if echo == Echo::Plain && !service.logs.native && file.is_some() { Echo::None } else { echo };
        let writer = |path: PathBuf| {
            Rc::new(std::cell::RefCell::new(Writer::new(path, &service.logs, owner.map(|owner| owner.0))))
        };
        let (out, err) = match file {
            None => (None, None),
            Some(LogFile::Default) => (Some(writer(default)), None),
            Some(LogFile::One(path)) => (Some(writer(path)), None),
            Some(LogFile::Apart { stdout, stderr }) => (Some(writer(stdout)), Some(writer(stderr))),
        };
        let apart = err.is_some() || format == LogFormat::Json;
        let streams =
            if apart { vec![(Stream::Stdout, "out"), (Stream::Stderr, "err")] } else { vec![(Stream::Merged, "out")] };
        let mut unfinished = std::mem::take(&mut unit.unfinished).into_iter();
        for (stream, suffix) in streams {
            let path = folder.join(format!("{id}.{suffix}"));
            sys::fifo(&path, owner)?;
            let file = sys::open_fifo_for_reading(&path)?;
            let dresser = Dresser::new(format, &service.name, service.instance.as_deref(), &host, stream)
                .after(unfinished.next().unwrap_or_default());
            let writer = if stream == Stream::Stderr { err.clone().or_else(|| out.clone()) } else { out.clone() };
            let pipe = Pipe::new(path, file, Rc::clone(id), dresser, writer, echo, self.tx.clone());
            let pipe = Rc::new(pipe.doing("read from a pipe")?);
            pipe.start(&self.buffer);
            unit.pipes.push(pipe);
        }
        Ok(())
    }

    pub(super) fn next_random(&mut self) -> u64 {
        let _ = self.roll();
        self.random
    }

    /// Goes on with a main process that an earlier supervisor started.
    pub(super) fn adopt(&mut self, id: &Id) {
        // A pipe that can't be opened is told by `status`; the service is not hurt by it.
        let _ = self.ensure_pipes(id);
        let _ = self.open_notify(id);
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

fn setting_of(id: &Id, unit: &Unit, account: sys::Account, mut env: Environment) -> Setting {
    let service = &unit.service;
    env.insert("DAEMONCTL_UNIT".into(), id.to_string());
    env.insert("DAEMONCTL_INVOCATION".into(), unit.invocation.to_string());
    if let Some(main) = unit.main.filter(|_| unit.state.current.has_main()) {
        env.insert("MAINPID".into(), main.pid.to_string());
    }
    if let Some(socket) = &unit.notify {
        env.insert("NOTIFY_SOCKET".into(), socket.path.display().to_string());
    }
    Setting {
        env: env.into_iter().collect(),
        dir: service.working_dir.clone().unwrap_or_else(|| PathBuf::from("/")),
        umask: service.umask,
        account,
        output: unit.pipes.first().map(|pipe| pipe.path().to_owned()),
    }
}

const fn nice(priority: Priority) -> i32 {
    match priority {
        Priority::Idle => 19,
        Priority::Low => 10,
        Priority::Normal => 0,
        Priority::High => -10,
    }
}

/// Makes the folders of the service's own that are missing; those in the runtime folder are gone after a boot.
fn make_own_folders(service: &Service, layout: &crate::layout::Layout) -> Result<()> {
    let folders = crate::manifest::folders(service, layout);
    if folders.is_empty() {
        return Ok(());
    }
    let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
    let owner = account.groups.is_some().then_some((account.uid, account.gid));
    folders.iter().try_for_each(|folder| crate::system::files::make_folder_of(folder, owner).map(drop))
}

fn not_run(exec: &[String], error: &std::io::Error) -> Error {
    let program = exec.first().map_or("", String::as_str);
    let text = format!("cannot run `{program}`: {error}");
    if error.kind() == std::io::ErrorKind::NotFound && std::path::Path::new(program).exists() {
        return Error::failed(format!(
            "{text} (the file exists: the interpreter in its first line, or its loader, does not)"
        ));
    }
    Error::failed(text)
}

fn environment(service: &Service, account: &sys::Account, pass_on: bool) -> Result<Environment> {
    let mut env = env::base(&account.name, &account.home, &account.shell, crate::system::env);
    if pass_on {
        env::hand_on(&mut env, std::env::vars_os());
    }
    for file in &service.env_files {
        match std::fs::read_to_string(&file.path) {
            Ok(text) => env.extend(env::parse(&file.path, &text)?),
            Err(error) if file.optional && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing(format_args!("read env_file `{}`", file.path.display())),
        }
    }
    for (name, secret) in &service.security.secrets {
        // The backend refuses the other sources.
        if let Secret::File(path) = secret {
            let value = std::fs::read_to_string(path)
                .doing(format_args!("read the secret `{name}` from `{}`", path.display()))?;
            env.insert(name.clone(), value.strip_suffix('\n').unwrap_or(&value).to_owned());
        }
    }
    env.extend(service.env.clone());
    Ok(env)
}
