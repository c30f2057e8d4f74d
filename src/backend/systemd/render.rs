//! From a service to its unit files. Pure: the same service gives the same bytes on every machine.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use askama::Template;

use super::{files, hosted, names, raw, restart, security, timer};
use crate::backend::{Artifact, Body, Hosting, SecretFormat, Target};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::quote::systemd::{Command, GlobLine, Line, ListPath, PathLine, Span, Variable, one_line};
use crate::service::{
    Dependency, HealthCheck, Hook, HookAction, HookFailure, INSTANCE_MARK, KillScope, Kind, LogFile, Priority,
    ReadyWhen, ReloadAction, Secret, Service, Signal, Start, StopSignal, WatchAction,
};

/// A value of a line, of whichever kind.
type Value<'a> = Box<dyn Display + 'a>;

#[derive(Template)]
#[template(path = "systemd/service.txt", escape = "none")]
struct ServiceUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    documentation: Vec<Line<'a>>,
    wants: Vec<String>,
    requires: Vec<String>,
    after: Vec<String>,
    limit: Option<(u32, Span)>,
    raw_unit: Vec<raw::Directive>,
    kind: &'static str,
    remain: bool,
    notify_access: Option<&'static str>,
    start_pre: Vec<Command<'a>>,
    start: Command<'a>,
    start_post: Vec<Command<'a>>,
    reload: Vec<Value<'a>>,
    stop: Vec<Command<'a>>,
    stop_post: Vec<Command<'a>>,
    restart: &'static str,
    restart_delay: Option<Span>,
    restart_steps: Option<(u32, Span)>,
    success: String,
    prevent: Option<String>,
    force: Option<&'static str>,
    start_timeout: Option<Span>,
    stop_timeout: Span,
    watchdog: Option<Span>,
    signal: Option<&'static str>,
    kill: Option<&'static str>,
    folder: Option<PathLine<'a>>,
    runtime_folder: Option<String>,
    user: Option<Line<'a>>,
    group: Option<Line<'a>>,
    umask: Option<String>,
    env: Vec<Variable<'a>>,
    env_files: Vec<String>,
    credentials: Vec<String>,
    stdout: Option<String>,
    stderr: Option<String>,
    limits: Vec<String>,
    profile: &'static str,
    read_write: Vec<ListPath<'a>>,
    capabilities: Vec<String>,
    raw_service: Vec<raw::Directive>,
    install: Option<&'static str>,
    raw_install: Vec<raw::Directive>,
}

#[derive(Template)]
#[template(path = "systemd/timer.txt", escape = "none")]
struct TimerUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    lines: Vec<String>,
    raw: Vec<raw::Directive>,
}

#[derive(Template)]
#[template(path = "systemd/path.txt", escape = "none")]
struct PathUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    of: String,
    paths: Vec<PathLine<'a>>,
    unit: String,
    raw: Vec<raw::Directive>,
}

#[derive(Template)]
#[template(path = "systemd/watch.txt", escape = "none")]
struct WatchUnit<'a> {
    file: &'a str,
    description: Line<'a>,
    command: Value<'a>,
    folder: Option<PathLine<'a>>,
    user: Option<Line<'a>>,
    group: Option<Line<'a>>,
    env: Vec<Variable<'a>>,
    env_files: Vec<String>,
}

/// Every artifact of a service.
pub(super) fn artifacts(service: &Service, hosting: Hosting, target: &Target) -> Result<Vec<Artifact>> {
    names::all(service, false)?;
    raw::check(&service.native)
        .map_err(|why| Error::new(Exit::Manifest, format!("the systemd table of `{}`: {why}", service.name)))?;
    let description = one_line(&service.description);
    let native = hosting == Hosting::Native;
    let watched = native && service.watch.is_some();
    let mut made = Vec::new();

    let file = names::file(service, "service");
    let host_argv = (!native).then(|| hosted::argv(service, target));
    let unit = service_unit(service, &file, &description, host_argv.as_deref(), target)?;
    made.push(definition(service, target, &file, &unit)?);
    if names::has_timer(service) {
        let file = names::file(service, "timer");
        let lines = timer::lines(service);
        let raw = raw::directives(&service.native, "Timer");
        made.push(definition(
            service,
            target,
            &file,
            &TimerUnit { file: &file, description: Line(&description), lines, raw },
        )?);
    }
    if let Some(watch) = service.watch.as_ref().filter(|_| watched) {
        let file = names::file(service, "path");
        let paths = watch.paths.iter().map(|path| PathLine(path.as_ref())).collect();
        let (of, raw) = (own(service, "service"), raw::directives(&service.native, "Path"));
        let unit = names::watch_file(service).replace("@.", "@%i.");
        let path = PathUnit { file: &file, description: Line(&description), of, paths, unit, raw };
        made.push(definition(service, target, &file, &path)?);
        let file = names::watch_file(service);
        made.push(definition(
            service,
            target,
            &file,
            &watch_unit(service, &watch.action, &file, &description, target),
        )?);
    }
    for unit in service.each_unit() {
        let id = unit.id();
        if native && !unit.env.is_empty() && !unit.env_files.is_empty() {
            made.push(files::env(&unit, target));
        }
        let entries = files::environment_secrets(&unit);
        if !entries.is_empty() {
            let body = Body::Secrets { entries, format: SecretFormat::SystemdEnvironment };
            made.push(Artifact { path: files::secrets_path(target, &id), body, unit: Some(id.clone()) });
        }
        if !native {
            made.extend(hosted::spec(&unit, target));
        }
        if service.start != Start::Manual {
            made.push(link(service, &unit, target));
        }
    }
    Ok(made)
}

fn definition(service: &Service, target: &Target, file: &str, template: &impl Template) -> Result<Artifact> {
    let mut content = String::with_capacity(2048);
    template.render_into(&mut content).map_err(|error| Error::failed(format!("cannot render `{file}`: {error}")))?;
    // No larger than it is: a thousand units are kept until the last is rendered.
    let body = Body::File { content: content.as_bytes().to_vec(), mode: 0o644, definition: true };
    Ok(Artifact { path: files::unit_dir(target).join(file), body, unit: Some(service.name.clone()) })
}

/// What `systemctl enable` would do: so it shows the unit as enabled, and `disable` undoes it.
fn link(service: &Service, unit: &Service, target: &Target) -> Artifact {
    let suffix = if names::has_timer(service) { "timer" } else { "service" };
    let dir = files::unit_dir(target);
    let path = dir.join(format!("{}.wants", install_target(service, target))).join(names::unit(&unit.id(), suffix));
    Artifact { path, body: Body::Link { target: dir.join(names::file(service, suffix)) }, unit: None }
}

fn install_target(service: &Service, target: &Target) -> &'static str {
    match (names::has_timer(service), target.scope) {
        (true, _) => "timers.target",
        (false, Scope::System) => "multi-user.target",
        (false, Scope::User) => "default.target",
    }
}

/// The unit itself as its own files name it.
fn own(service: &Service, suffix: &str) -> String {
    names::file(service, suffix).replace("@.", "@%i.")
}

fn service_unit<'a>(
    service: &'a Service,
    file: &'a str,
    description: &'a str,
    host: Option<&'a [String]>,
    target: &Target,
) -> Result<ServiceUnit<'a>> {
    let native = host.is_none();
    let list = |dependencies: &[&Vec<Dependency>]| -> Result<Vec<String>> {
        let mut units: Vec<String> = Vec::new();
        for dependency in dependencies.iter().flat_map(|list| list.iter()) {
            for unit in names::dependency(service, dependency)? {
                if !units.contains(&unit) {
                    units.push(unit);
                }
            }
        }
        Ok(units)
    };
    let mut wants = list(&[&service.wants])?;
    if native && service.watch.is_some() {
        wants.push(own(service, "path"));
    }
    let heartbeat = service.health.as_ref().filter(|h| native && matches!(h.check, HealthCheck::Heartbeat));
    let notifies = service.ready.as_ref().is_some_and(|ready| ready.when == ReadyWhen::Notify);
    let kind = match service.kind {
        Kind::Oneshot | Kind::Task => "oneshot",
        Kind::Service if !native || notifies => "notify",
        Kind::Service if super::answer::since(target, 240) => "exec",
        Kind::Service => "simple",
    };
    let (stdout, stderr) = if native { outputs(service) } else { (None, None) };
    let hooks = |list: &'a [Hook]| if native { list.iter().filter_map(hook).collect() } else { Vec::new() };
    let mut stop = hooks(&service.hooks.pre_stop);
    if native && let Some(argv) = &service.stop.command {
        // The signal follows whatever the command says.
        stop.push(Command { prefix: "-", argv });
    }
    let grown = if native && super::answer::since(target, 254) {
        restart::growth(&service.restart)
    } else {
        restart::Growth::Constant
    };
    let unit = ServiceUnit {
        file,
        description: Line(description),
        documentation: service.documentation.iter().map(|url| Line(url)).collect(),
        wants,
        requires: list(&[&service.requires])?,
        after: list(&[&service.after, &service.requires, &service.wants])?,
        limit: if native {
            // systemd counts starts, the manifest restarts.
            service.restart.limit.map(|limit| (limit.count.saturating_add(1), Span(limit.within)))
        } else {
            Some((5, Span(Duration::from_secs(60))))
        },
        raw_unit: raw::directives(&service.native, "Unit"),
        kind,
        remain: service.kind == Kind::Oneshot,
        notify_access: match (native, notifies || heartbeat.is_some()) {
            (false, _) => (kind == "notify").then_some("main"),
            (true, told) => told.then_some("all"),
        },
        start_pre: hooks(&service.hooks.pre_start),
        start: Command { prefix: "", argv: host.unwrap_or(&service.exec) },
        start_post: hooks(&service.hooks.post_start),
        reload: reload(service, native),
        stop,
        stop_post: hooks(&service.hooks.post_stop),
        restart: match (native, service.kind) {
            (true, _) => restart::policy(service),
            (false, Kind::Service) => "on-failure",
            (false, _) => "no",
        },
        restart_delay: match (native, service.kind) {
            (true, _) => (restart::policy(service) != "no").then_some(Span(service.restart.delay)),
            (false, kind) => (kind == Kind::Service).then_some(Span(hosted::RESTART_DELAY)),
        },
        restart_steps: match grown {
            restart::Growth::Steps(steps) => Some((steps, Span(service.restart.max_delay))),
            restart::Growth::Constant | restart::Growth::Unmet => None,
        },
        success: if native { restart::join(&service.restart.success_codes) } else { String::new() },
        prevent: if native { restart::prevented(service) } else { Some(Exit::ServiceFailed.code().to_string()) },
        force: if native { restart::forced(service) } else { None },
        start_timeout: if native { start_timeout(service, notifies) } else { hosted::start_timeout(service) }.map(Span),
        stop_timeout: Span(if native { service.stop.timeout } else { hosted::stop_timeout(service) }),
        watchdog: heartbeat.map(|h| Span(h.interval.saturating_mul(h.failures.max(1)))),
        signal: match service.stop.signal {
            StopSignal::Signal(signal) if native && signal != Signal::Term => Some(signal.name()),
            _ => None,
        },
        kill: match (native, service.stop.kill) {
            (true, KillScope::Tree) => None,
            // The host goes down its own ladder first; what is left when it has ended is killed.
            (false, KillScope::Tree) => Some("mixed"),
            (_, KillScope::Group | KillScope::Main) => Some("process"),
        },
        folder: service.working_dir.as_deref().filter(|_| native).map(PathLine),
        runtime_folder: runtime_folder(service, native, target),
        user: service.user.as_deref().filter(|_| native).map(Line),
        group: service.group.as_deref().filter(|_| native).map(Line),
        umask: service.umask.filter(|_| native).map(|bits| format!("{bits:04o}")),
        env: if native && service.env_files.is_empty() { variables(service) } else { Vec::new() },
        env_files: env_files(service, native, target),
        credentials: credentials(service),
        stdout,
        stderr,
        limits: limits(service),
        profile: security::profile(service.security.profile, target.scope),
        read_write: service.security.read_write.iter().map(|path| ListPath(path)).collect(),
        capabilities: security::capabilities(service),
        raw_service: raw::directives(&service.native, "Service"),
        install: (!names::has_timer(service)).then(|| install_target(service, target)),
        raw_install: raw::directives(&service.native, "Install"),
    };
    Ok(unit)
}

fn watch_unit<'a>(
    service: &'a Service,
    action: &'a WatchAction,
    file: &'a str,
    description: &'a str,
    target: &Target,
) -> WatchUnit<'a> {
    let user_flag = if target.scope == Scope::User { "--user " } else { "" };
    let unit = own(service, "service");
    let command: Value<'a> = match action {
        WatchAction::Reload => Box::new(format!("/bin/systemctl {user_flag}--no-block reload {unit}")),
        WatchAction::Restart => Box::new(format!("/bin/systemctl {user_flag}--no-block try-restart {unit}")),
        WatchAction::Command(argv) => Box::new(Command { prefix: "", argv }),
    };
    let own_command = matches!(action, WatchAction::Command(_));
    WatchUnit {
        file,
        description: Line(description),
        command,
        folder: service.working_dir.as_deref().filter(|_| own_command).map(PathLine),
        user: service.user.as_deref().filter(|_| own_command).map(Line),
        group: service.group.as_deref().filter(|_| own_command).map(Line),
        env: if own_command && service.env_files.is_empty() { variables(service) } else { Vec::new() },
        env_files: if own_command { env_files(service, true, target) } else { Vec::new() },
    }
}

fn variables(service: &Service) -> Vec<Variable<'_>> {
    service.env.iter().map(|(name, value)| Variable { name, value }).collect()
}

/// Files of variables, later ones winning: the user's, then `env` (which wins over files, as `Environment=` would
/// not), then secrets.
fn env_files(service: &Service, native: bool, target: &Target) -> Vec<String> {
    let mut files = Vec::new();
    let own_id =
        if names::is_template(service) { format!("{}@{INSTANCE_MARK}", service.name) } else { service.name.clone() };
    if native {
        for file in &service.env_files {
            files.push(format!("{}{}", if file.optional { "-" } else { "" }, GlobLine(&file.path)));
        }
        if !service.env.is_empty() && !service.env_files.is_empty() {
            files.push(GlobLine(&files::env_path(target, &own_id)).to_string());
        }
    }
    if !files::environment_secrets(service).is_empty() {
        files.push(GlobLine(&files::secrets_path(target, &own_id)).to_string());
    }
    files
}

fn credentials(service: &Service) -> Vec<String> {
    let secrets = service.security.secrets.iter();
    secrets
        .filter_map(|(name, secret)| match secret {
            Secret::Credential(source) => Some(format!("{}:{}", Line(name), Line(source))),
            Secret::File(_) | Secret::Env(_) | Secret::Command(_) => None,
        })
        .collect()
}

fn hook(hook: &Hook) -> Option<Command<'_>> {
    let prefix = match hook.on_failure {
        HookFailure::Abort => "",
        HookFailure::Ignore => "-",
    };
    match &hook.action {
        HookAction::Command(argv) => Some(Command { prefix, argv }),
        HookAction::Webhook(_) => None,
    }
}

fn reload(service: &Service, native: bool) -> Vec<Value<'_>> {
    let kill = |signal: Signal| format!("/bin/kill -s {} $MAINPID", signal.name());
    let Some(reload) = &service.reload else { return Vec::new() };
    if !native {
        return vec![Box::new(kill(Signal::Hup))];
    }
    let mut lines: Vec<Value<'_>> = Vec::new();
    if let Some(argv) = &reload.check {
        lines.push(Box::new(Command { prefix: "", argv }));
    }
    match &reload.action {
        ReloadAction::Signal(signal) => lines.push(Box::new(kill(*signal))),
        ReloadAction::Command(argv) => lines.push(Box::new(Command { prefix: "", argv })),
        ReloadAction::Http(_) => {}
    }
    lines
}

/// One time for each command of a start and for readiness; they are equal where systemd runs the service itself.
fn start_timeout(service: &Service, notifies: bool) -> Option<Duration> {
    let ready = service.ready.as_ref().filter(|_| notifies).map(|ready| ready.timeout);
    let hooks = service.hooks.pre_start.iter().chain(&service.hooks.post_start).map(|hook| hook.timeout).max();
    ready.or(hooks)
}

fn outputs(service: &Service) -> (Option<String>, Option<String>) {
    let append = |path: &PathBuf| Some(format!("append:{}", PathLine(path)));
    match &service.logs.file {
        None | Some(LogFile::Default) if service.logs.native => (Some("journal".to_owned()), None),
        None | Some(LogFile::Default) => (Some("null".to_owned()), None),
        Some(LogFile::One(path)) => (append(path), append(path)),
        Some(LogFile::Apart { stdout, stderr }) => (append(stdout), append(stderr)),
    }
}

fn limits(service: &Service) -> Vec<String> {
    let limits = &service.limits;
    let mut lines = Vec::new();
    lines.extend(limits.memory.map(|bytes| format!("MemoryMax={bytes}")));
    // Rounded up: a limit of nothing would be none.
    lines.extend(limits.cpu.map(|cores| format!("CPUQuota={}%", (cores * 100.0).ceil().max(1.0))));
    lines.extend(limits.tasks.map(|tasks| format!("TasksMax={tasks}")));
    lines.extend(limits.open_files.map(|files| format!("LimitNOFILE={files}")));
    let priority: &[&str] = match limits.priority {
        None | Some(Priority::Normal) => &[],
        Some(Priority::Idle) => &["Nice=19", "CPUSchedulingPolicy=idle", "IOSchedulingClass=idle"],
        Some(Priority::Low) => &["Nice=10", "IOSchedulingClass=best-effort", "IOSchedulingPriority=7"],
        Some(Priority::High) => &["Nice=-10", "IOSchedulingClass=best-effort", "IOSchedulingPriority=0"],
    };
    lines.extend(priority.iter().map(ToString::to_string));
    lines
}

/// `${runtime_dir}`, where the service names it: gone after a boot, so systemd makes it at each start. A path below
/// `/run` (user scope: `$XDG_RUNTIME_DIR`), which is where the layout has it on every system with systemd.
fn runtime_folder(service: &Service, native: bool, target: &Target) -> Option<String> {
    let below = target.layout.runtime.file_name()?;
    let folders = crate::manifest::folders(service, &target.layout);
    let folder = folders.iter().find(|folder| folder.starts_with(&target.layout.runtime)).filter(|_| native)?;
    let rest = folder.strip_prefix(&target.layout.runtime).ok()?;
    Some(crate::quote::systemd::Line(&std::path::Path::new(below).join(rest).to_string_lossy()).to_string())
}
