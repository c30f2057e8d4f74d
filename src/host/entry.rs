//! The ways into the host: a scope's supervisor, the shim of one service, and `daemonctl run`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::engine::{Echo, Engine, Options, Outcome};
use super::sys;
use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;
use crate::layout::Layout;
use crate::service::{Dependency, Kind, Profile, Service};
use crate::system::{files, machine};

/// How `supervise` is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervise {
    /// By a person or a container: it stays in the foreground.
    Foreground,
    /// By a command that needs it: it says `ready` on its standard output, and then nothing more.
    OnDemand,
}

/// No process is between its making and the execution of its program for longer.
const ORPHANED_LOCK: Duration = Duration::from_secs(2);

/// Between two looks at the lock.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What an on-demand supervisor says when it answers requests.
pub(super) const READY: &str = "ready";

/// Supervises a scope until it is told to end; as PID 1 it reaps whatever ends.
///
/// SIGTERM and SIGINT stop every service in order; SIGHUP reads the specs again.
pub fn supervise(layout: &Layout, how: Supervise) -> Result<Exit> {
    machine::make_state_folders(layout)?;
    machine::make_runtime_folder(layout)?;
    let lock = super::intent::lock(layout);
    let (held, socket) = match sys::handed_over() {
        Some(handover) => (Some(handover.lock), Some(handover.socket)),
        None => (take_lock(&lock, &layout.runtime)?, None),
    };
    let Some(held) = held else {
        return Err(Error::failed(format!("another supervisor runs for this scope: it holds `{}`", lock.display()))
            .hint("`daemonctl status` shows its services"));
    };
    prepare(&layout.runtime)?;
    let options = Options {
        layout: layout.clone(),
        runtime: layout.runtime.clone(),
        serve: true,
        persist: true,
        end_when_empty: how == Supervise::OnDemand,
        echo: Echo::None,
        files: true,
        end_at_rest: false,
        pass_on: false,
    };
    let keeper = keeper(&layout.runtime);
    let again = block_on(async {
        let mut engine = Engine::new(options);
        if let Some((keeper, kept)) = keeper {
            engine.keep_with(keeper, kept);
        }
        if let Some(socket) = socket {
            engine.go_on(socket);
        }
        let ready = || {
            if how == Supervise::OnDemand {
                let mut out = std::io::stdout();
                let _ = writeln!(out, "{READY}").and_then(|()| out.flush());
                sys::close_stdout();
            }
        };
        Ok(engine.run(ready).await?.again)
    })?;
    let Some((program, socket)) = again else { return Ok(Exit::Done) };
    let error = sys::exec(&program, &held, &socket);
    // Better the old one than none.
    if let Ok(own) = std::env::current_exe() {
        let _ = sys::exec(&own, &held, &socket);
    }
    Err(error).doing(format_args!("become `{}`", program.display()))
}

/// Who holds what is in pipes when we and a service are killed together. With PID 1 ends everything.
fn keeper(runtime: &Path) -> Option<(sys::Keeper, Vec<sys::Kept>)> {
    if !sys::SERVICES_OUTLIVE_HOST || std::process::id() == 1 {
        return None;
    }
    let found = sys::Keeper::find_or_make(runtime);
    found
        .inspect_err(|error| {
            eprintln!("daemonctl host: what is in pipes would go with this process and its services: {error}");
        })
        .ok()
}

/// Takes the lock of the host of a runtime folder; None: another one runs.
///
/// One that was killed while it made a process leaves its lock (and its socket) to that, until the service is executed
/// in it. Who waits for that also finds the service by its mark then.
fn take_lock(path: &Path, runtime: &Path) -> Result<Option<sys::Lock>> {
    let end = Instant::now() + ORPHANED_LOCK;
    let state = super::state::in_folder(runtime);
    let mut pause = Duration::from_millis(1);
    loop {
        let held = sys::hold_lock(path)?;
        let holder = || super::state::read(&state).ok().flatten().is_some_and(|file| sys::lives(file.supervisor));
        if held.is_some() || holder() || Instant::now() > end {
            return Ok(held);
        }
        // The lock could be waited for, but then another supervisor that takes it first would be too.
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The service that install wrote down for a host.
pub fn read_spec(spec: &Path) -> Result<Service> {
    let bytes = files::read(spec)?.ok_or_else(|| {
        Error::new(Exit::NotInstalled, format!("there is no spec `{}`", spec.display()))
            .hint("install the manifest again: `daemonctl install MANIFEST`")
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::failed(format!("the spec `{}` cannot be read: {error}", spec.display()))
            .hint("another version of daemonctl wrote it; install the manifest again")
    })
}

/// Runs one service under a service manager: the shim. SIGTERM stops it, SIGHUP reloads it; readiness, watchdog and
/// status go on to the manager's `NOTIFY_SOCKET`; its output goes to its log files, and to ours where `logs.to` says
/// `native`. One that was killed is followed by one that takes its service over, if that lives.
pub fn run_one(service: Service, layout: &Layout) -> Result<Exit> {
    run_shim(service, layout).map(|outcome| outcome.exit())
}

/// The same; what it came to.
pub(super) fn run_shim(mut service: Service, layout: &Layout) -> Result<Outcome> {
    // Who comes before whom is the manager's business: nobody else is in here to be waited for.
    service.after.clear();
    service.requires.clear();
    service.wants.clear();
    if sys::SCHEDULED_FROM_ABOVE {
        once(&mut service);
    }
    if sys::LIMITED_FROM_ABOVE {
        (service.limits.memory, service.limits.cpu, service.limits.tasks) = (None, None, None);
    }
    if !service.host_builds_sandbox() {
        // The manager's own sandbox holds for us and what we start.
        service.security.profile = Profile::None;
    }
    let id = service.id();
    let runtime = Folder::new(layout, &id)?;
    let lock = runtime.0.join("lock");
    let Some(_held) = take_lock(&lock, &runtime.0)? else {
        std::mem::forget(runtime);
        return Err(Error::failed(format!("another host runs `{id}`: it holds `{}`", lock.display())));
    };
    files::remove(&super::state::ended_in_folder(&runtime.0))?;
    let options = Options {
        layout: layout.clone(),
        runtime: runtime.0.clone(),
        serve: false,
        persist: true,
        end_when_empty: false,
        echo: if cfg!(windows) { Echo::None } else { Echo::Plain },
        files: true,
        end_at_rest: true,
        pass_on: true,
    };
    let outcome = finish(options, vec![service])?;
    if !outcome.well || !sys::ABOVE_KEEPS_HISTORY {
        // `status` tells from it what became of the service.
        std::mem::forget(runtime);
    }
    Ok(outcome)
}

/// Runs services in the foreground, their output on ours (`aside`: on standard error); Ctrl-C stops them politely.
///
/// Beside the exit code that says so: the one of the first that failed, as a shell tells it.
pub fn run_foreground(mut services: Vec<Service>, layout: &Layout, aside: bool) -> Result<(Exit, Option<u8>)> {
    // Who was not asked for is not waited for.
    let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    let here = |dependency: &Dependency| matches!(dependency, Dependency::Service(name) if names.contains(name));
    for service in &mut services {
        service.after.retain(here);
        service.requires.retain(here);
        service.wants.retain(here);
        once(service);
    }
    let runtime = Folder::new(layout, &format!("run.{}", std::process::id()))?;
    let echo = match services.len() {
        _ if aside => Echo::Aside,
        1 => Echo::Plain,
        _ => Echo::Named,
    };
    let options = Options {
        layout: layout.clone(),
        runtime: runtime.0.clone(),
        serve: false,
        persist: false,
        end_when_empty: false,
        echo,
        files: false,
        end_at_rest: true,
        pass_on: false,
    };
    let outcome = finish(options, services)?;
    Ok((outcome.exit(), outcome.code.and_then(|code| u8::try_from(code).ok())))
}

/// A task is run once: its schedule is the manager's, or nobody's.
fn once(service: &mut Service) {
    if service.kind == Kind::Task {
        service.kind = Kind::Oneshot;
        service.schedule = None;
    }
}

fn finish(options: Options, services: Vec<Service>) -> Result<Outcome> {
    prepare(&options.runtime)?;
    block_on(async {
        let mut engine = Engine::new(options);
        engine.give(services);
        engine.run(|| {}).await
    })
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing("start the event loop")?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, work)
}

fn prepare(runtime: &Path) -> Result<()> {
    sys::forget_inherited();
    sys::be_frugal();
    // Without it, orphans of services go to PID 1 and are still found by their session and their mark.
    let _ = sys::become_subreaper();
    // A file system that goes away with a login folder must not be held busy, nor hold us.
    let folder = sys::neutral_folder();
    std::env::set_current_dir(&folder).doing(format_args!("change to `{}`", folder.display()))?;
    for folder in ["pipes", "notify"] {
        files::make_folders(&runtime.join(folder), 0o711)?;
    }
    Ok(())
}

/// A runtime folder of one host, removed when it ends; when it is killed, the next one finds what it left there.
struct Folder(PathBuf);

impl Folder {
    fn new(layout: &Layout, name: &str) -> Result<Self> {
        machine::make_runtime_folder(layout)?;
        let folder = layout.runtime.join("hosts").join(name);
        files::make_folders(&folder, 0o711)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the runtime folder, and gone after the next boot.
        let _ = files::remove_tree(&self.0);
    }
}
