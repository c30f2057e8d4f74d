//! The `.service` file: its lines, value by value.

use std::path::PathBuf;
use std::time::Duration;

use askama::Template;

use super::{Value, install_target, own};
use crate::backend::Target;
use crate::backend::systemd::{answer, files, hosted, names, raw, restart, security};
use crate::error::Result;
use crate::exit::Exit;
use crate::quote::systemd::{Command, GlobLine, Line, ListPath, PathLine, Span, Variable};
use crate::service::{
    Dependency, HealthCheck, Hook, HookAction, HookFailure, INSTANCE_MARK, KillScope, Kind, LogFile, Priority,
    ReadyWhen, ReloadAction, Secret, Service, Signal, StopSignal,
};

#[derive(Template)]
#[template(path = "systemd/service.txt", escape = "none")]
pub(super) struct ServiceUnit<'a> {
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

pub(super) fn unit<'a>(
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
        Kind::Service if answer::since(target, 240) => "exec",
        Kind::Service => "simple",
    };
    let (stdout, stderr) = if native { outputs(service) } else { (None, None) };
    let hooks = |list: &'a [Hook]| if native { list.iter().filter_map(hook).collect() } else { Vec::new() };
    let mut stop = hooks(&service.hooks.pre_stop);
    if native && let Some(argv) = &service.stop.command {
        // The signal follows whatever the command says.
        stop.push(Command { prefix: "-", argv });
    }
    let grown = if native && answer::since(target, 254) {
        restart::growth(&service.restart)
    } else {
        restart::Growth::Constant
    };
    let sandboxed = native || !service.host_builds_sandbox();
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
        umask: service.effective_umask().filter(|_| native).map(|bits| format!("{bits:04o}")),
        env: if native && service.env_files.is_empty() { variables(service) } else { Vec::new() },
        env_files: env_files(service, native, target),
        credentials: credentials(service),
        stdout,
        stderr,
        limits: limits(service),
        profile: if sandboxed { security::profile(service.security.profile, target.scope) } else { "" },
        read_write: service.security.read_write.iter().filter(|_| sandboxed).map(|path| ListPath(path)).collect(),
        capabilities: if sandboxed { security::capabilities(service) } else { Vec::new() },
        raw_service: raw::directives(&service.native, "Service"),
        install: (!names::has_timer(service)).then(|| install_target(service, target)),
        raw_install: raw::directives(&service.native, "Install"),
    };
    Ok(unit)
}

pub(super) fn variables(service: &Service) -> Vec<Variable<'_>> {
    service.env.iter().map(|(name, value)| Variable { name, value }).collect()
}

/// Files of variables, later ones winning: the user's, then `env` (which wins over files, as `Environment=` would
/// not), then secrets.
pub(super) fn env_files(service: &Service, native: bool, target: &Target) -> Vec<String> {
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
