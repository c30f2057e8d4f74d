//! How systemd meets each key of the manifest.
//!
//! Natively wherever systemd means the same thing; where it only means something like it (no debounce, one start
//! timeout for all hooks), daemonctl's host takes over rather than let a wish be half met.

use std::path::Path;

mod commands;
mod hosting;
mod security;

use commands::{command, start_hooks, stop_hooks};
use hosting::{hosts, others_host, watched_after_its_end};
use security::{capabilities, profile, secrets};

pub(super) use hosting::is_hosted;

use super::restart;
use crate::backend::answer::{endless, host, impossible_code, native, refused, windows_stop};
use crate::backend::{Answer, Target};
use crate::key::Key;
use crate::layout::Scope;
use crate::quote::systemd as quote;
use crate::service::{
    Dependency, KillScope, Kind, LogFormat, Priority, ReadyWhen, ReloadAction, RestartPolicy, Service, Start,
    StopSignal, WatchAction,
};

/// Whether the target's systemd is at least this version.
pub(super) fn since(target: &Target, version: u32) -> bool {
    target.version.is_none_or(|have| have >= version)
}

/// The answer for a key, for this service or in general.
pub(super) fn answer(key: Key, service: Option<&Service>, target: &Target) -> Answer {
    let user_scope = target.scope == Scope::User;
    match key {
        Key::Description => native("Description="),
        Key::DisplayName => native("nothing: a name for Windows and launchd tools, systemd shows `description`"),
        Key::Label => native("nothing: launchd's name for the service"),
        Key::Documentation => documentation(service),
        Key::Exec => exec(service),
        Key::WorkingDir => match service.and_then(|s| s.working_dir.as_deref()).and_then(quote::path_refused) {
            Some(why) => host(format!("the folder's path {why}")),
            None => native("WorkingDirectory="),
        },
        Key::User | Key::Group if user_scope => refused(
            "a user's manager runs every service as that user",
            "leave it out, or install in system scope (`--system`)",
        ),
        Key::User => native("User="),
        Key::Group => native("Group="),
        Key::Umask => native("UMask="),
        Key::Env => env(service),
        Key::EnvFile => {
            let bad = service.and_then(|s| s.env_files.iter().find_map(|file| quote::path_refused(&file.path)));
            bad.map_or_else(|| native("EnvironmentFile="), |why| host(format!("a file's path {why}")))
        }
        Key::Start => match service {
            Some(s) if s.start == Start::Delayed && s.kind == Kind::Task => {
                refused("a task starts when its schedule says so", "leave `start` out, or use `start = \"manual\"`")
            }
            _ => native("[Install]; `delayed` by a timer with OnBootSec="),
        },
        Key::Instances => native("a template unit, name@.service"),
        Key::Host => native("decides whether ExecStart= is the program or daemonctl's host"),
        Key::Type => native("Type=, and a timer for a task"),
        Key::After => dependencies(service, |s| &s.after, "After="),
        Key::Requires => dependencies(service, |s| &s.requires, "Requires= and After="),
        Key::Wants => dependencies(service, |s| &s.wants, "Wants= and After="),
        Key::WaitFor => host("systemd orders units, it does not wait for ports or paths"),
        Key::ReadyNotify => native("Type=notify"),
        Key::ReadyTcp | Key::ReadyHttp | Key::ReadyExec | Key::ReadyLog | Key::ReadyFile | Key::ReadyDelay => {
            host("systemd knows readiness only by sd_notify")
        }
        Key::ReadyTimeout => match service.and_then(|s| s.ready.as_ref()).map(|ready| &ready.when) {
            None | Some(ReadyWhen::Notify) => native("TimeoutStartSec="),
            Some(_) => host("belongs to a readiness check that the host makes"),
        },
        Key::HealthTcp | Key::HealthHttp | Key::HealthExec => host("systemd has no health checks but the watchdog"),
        Key::HealthHeartbeat
        | Key::HealthInterval
        | Key::HealthTimeout
        | Key::HealthFailures
        | Key::HealthSuccesses
        | Key::HealthStartPeriod
        | Key::HealthAction => health(key, service),
        Key::RestartPolicy => match service {
            Some(s) if s.kind != Kind::Service && restarts_after_success(s) => endless(),
            Some(s) if s.kind != Kind::Service && s.restart.policy != RestartPolicy::Never && !since(target, 244) => {
                host("before version 244 systemd does not restart oneshot services")
            }
            _ => native("Restart="),
        },
        Key::RestartDelay => native("RestartSec="),
        Key::RestartFactor | Key::RestartMaxDelay => restart::growth_answer(service, target),
        Key::RestartJitter => match service {
            Some(s) if s.restart.jitter <= 0.0 => native("RestartSec= has none"),
            _ => host("RestartSec= is always exact"),
        },
        Key::RestartLimit => native("StartLimitBurst= and StartLimitIntervalSec="),
        Key::RestartResetAfter => host("systemd forgets a unit's restarts only when a person starts it"),
        Key::RestartSuccessCodes => codes(service.map(|s| &s.restart.success_codes), "SuccessExitStatus="),
        Key::RestartPreventCodes => codes(service.map(|s| &s.restart.prevent_codes), "RestartPreventExitStatus="),
        Key::StopCommand => command(service.and_then(|s| s.stop.command.as_ref()), "ExecStop="),
        Key::StopSignal => match service.map(|s| s.stop.signal) {
            None | Some(StopSignal::Signal(_)) => native("KillSignal="),
            Some(StopSignal::CtrlC | StopSignal::CtrlBreak | StopSignal::Close) => windows_stop(),
        },
        Key::StopTimeout => native("TimeoutStopSec="),
        Key::StopKill => match service.map(|s| s.stop.kill) {
            Some(KillScope::Group) => host("KillMode= knows the control group and the main process, no process group"),
            None | Some(KillScope::Tree | KillScope::Main) => native("KillMode="),
        },
        Key::ReloadSignal => native("ExecReload= with kill"),
        Key::ReloadCommand => match service.and_then(|s| s.reload.as_ref()).map(|reload| &reload.action) {
            Some(ReloadAction::Command(argv)) => command(Some(argv), "ExecReload="),
            _ => native("ExecReload="),
        },
        Key::ReloadHttp => host("ExecReload= runs commands only"),
        Key::ReloadCheck => command(
            service.and_then(|s| s.reload.as_ref()).and_then(|reload| reload.check.as_ref()),
            "an earlier line of ExecReload=",
        ),
        Key::WatchPaths | Key::WatchAction | Key::WatchCommand | Key::WatchDebounce
            if service.is_some_and(|s| s.kind != Kind::Service && others_host(s, target)) =>
        {
            watched_after_its_end()
        }
        Key::WatchPaths => watch_paths(service),
        Key::WatchAction => match service {
            Some(s) if s.reload.is_none() && s.watch.as_ref().is_some_and(|w| w.action == WatchAction::Reload) => {
                refused(
                    "a change shall reload the service, and it has no `reload`",
                    "add `[service.NAME.reload]`, or use `action = \"restart\"`",
                )
            }
            Some(s)
                if s.watch.as_ref().is_some_and(|w| w.action == WatchAction::Restart)
                    && s.reload.as_ref().is_some_and(|reload| reload.check.is_some()) =>
            {
                hosts(s, "a path unit restarts without asking `reload.check` first")
            }
            _ => native("a path unit that starts name:watch.service"),
        },
        Key::WatchCommand => match service.and_then(|s| s.watch.as_ref()).map(|watch| &watch.action) {
            Some(WatchAction::Command(argv)) => command(Some(argv), "a path unit that starts name:watch.service"),
            _ => native("a path unit that starts name:watch.service"),
        },
        Key::WatchDebounce => match service.and_then(|s| s.watch.as_ref()) {
            Some(watch) if watch.debounce.is_zero() => native("path units act at once"),
            _ => service.map_or_else(|| host("path units act at once"), |s| hosts(s, "path units act at once")),
        },
        Key::LogsTo => match service.map(|s| &s.logs) {
            Some(logs) if logs.native && logs.file.is_some() => {
                host("systemd writes to the journal or to a file, not both")
            }
            _ => native("StandardOutput="),
        },
        Key::LogsFile | Key::LogsStdout | Key::LogsStderr => super::log_file::answer(service, target),
        Key::LogsFormat => match service.map(|s| s.logs.format) {
            Some(LogFormat::Raw) => native("StandardOutput= adds nothing to a line"),
            _ => host("systemd passes lines on as they come"),
        },
        Key::LogsMaxSize | Key::LogsMaxAge | Key::LogsKeep | Key::LogsTotal | Key::LogsCompress | Key::LogsArchive => {
            match service {
                Some(s) if s.logs.file.is_none() => refused(
                    "the journal keeps one store for all services and rotates it by its own rules (journald.conf)",
                    "add \"file\" to `logs.to`, or leave this out",
                ),
                _ => host("systemd does not rotate files"),
            }
        }
        Key::LimitsMemory => native("MemoryMax="),
        Key::LimitsCpu => native("CPUQuota="),
        Key::LimitsTasks => native("TasksMax="),
        Key::LimitsOpenFiles => native("LimitNOFILE="),
        Key::LimitsPriority => match service.and_then(|s| s.limits.priority) {
            Some(Priority::High) if user_scope => {
                refused("a user may not raise a priority", "use `normal`, or install in system scope (`--system`)")
            }
            _ => native("Nice=, CPUSchedulingPolicy= and IOSchedulingClass="),
        },
        Key::ThresholdsMemory | Key::ThresholdsCpu | Key::ThresholdsRestartsPerHour => {
            host("systemd limits what a unit uses, and tells nobody that it uses much")
        }
        Key::SecurityProfile => profile(service, target),
        Key::SecurityReadWrite => {
            let bad = service.and_then(|s| s.security.read_write.iter().find_map(|path| quote::path_refused(path)));
            match bad {
                Some(why) => refused(format!("a path {why}"), "rename it"),
                None => native("ReadWritePaths="),
            }
        }
        Key::SecurityCapabilities if user_scope => refused(
            "a user's manager has no capabilities to give or take",
            "leave it out, or install in system scope (`--system`)",
        ),
        Key::SecurityCapabilities => capabilities(service, target),
        Key::SecuritySecrets => secrets(service, target),
        Key::HooksPreStart => start_hooks(service, |s| &s.hooks.pre_start, "ExecStartPre="),
        Key::HooksPostStart => start_hooks(service, |s| &s.hooks.post_start, "ExecStartPost="),
        Key::HooksPreStop => stop_hooks(service, |s| &s.hooks.pre_stop, "ExecStop="),
        Key::HooksPostStop => stop_hooks(service, |s| &s.hooks.post_stop, "ExecStopPost="),
        Key::HooksEvent => host("systemd tells nobody of a unit's restarts and health"),
        Key::ScheduleEvery => native("a timer with OnUnitActiveSec="),
        Key::ScheduleCalendar => native("a timer with OnCalendar="),
        Key::ScheduleJitter => native("RandomizedDelaySec="),
        Key::SchedulePersistent => match service.and_then(|s| s.schedule.as_ref()) {
            Some(schedule)
                if schedule.persistent && matches!(schedule.when, crate::service::ScheduleWhen::Every(_)) =>
            {
                refused("Persistent= works for calendar times only", "use `calendar`, or leave `persistent` out")
            }
            _ => native("Persistent="),
        },
        Key::Native => match service.map(|s| super::raw::check(&s.native)) {
            Some(Err(why)) => refused(why, "write `[service.NAME.systemd]` as `Section = { Key = value }`"),
            _ => native("lines at the end of their sections"),
        },
    }
}

fn restarts_after_success(service: &Service) -> bool {
    matches!(service.restart.policy, RestartPolicy::Always | RestartPolicy::OnSuccess)
}

fn documentation(service: Option<&Service>) -> Answer {
    let known = ["http://", "https://", "file:/", "info:", "man:"];
    let bad = service.and_then(|s| {
        s.documentation.iter().find(|url| {
            !known.iter().any(|scheme| url.starts_with(scheme))
                || url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"' || c == '\'' || c == '\\')
        })
    });
    match bad {
        Some(url) => refused(
            format!("systemd takes no `{url}` for documentation"),
            "write a URL that begins with `https://`, `http://`, `file:/`, `info:` or `man:`, without spaces and quotes",
        ),
        None => native("Documentation="),
    }
}

fn exec(service: Option<&Service>) -> Answer {
    command(service.map(|s| &s.exec), "ExecStart=")
}

fn env(service: Option<&Service>) -> Answer {
    let bad = service.and_then(|s| {
        s.env.iter().find_map(|(name, value)| quote::variable_refused(name, value).map(|why| (name, why)))
    });
    match bad {
        Some((name, why)) => host(format!("`{name}` {why}")),
        None => native("Environment="),
    }
}

fn dependencies(service: Option<&Service>, list: fn(&Service) -> &Vec<Dependency>, by: &'static str) -> Answer {
    let bad = service.and_then(|s| list(s).iter().find_map(|dependency| super::names::dependency(s, dependency).err()));
    match bad {
        Some(error) => refused(error.to_string(), error.hints().join("; ")),
        None => native(by),
    }
}

fn health(key: Key, service: Option<&Service>) -> Answer {
    use crate::service::{HealthAction, HealthCheck};
    let Some(health) = service.and_then(|s| s.health.as_ref()) else {
        return match key {
            Key::HealthHeartbeat | Key::HealthInterval | Key::HealthFailures | Key::HealthAction => {
                native("WatchdogSec=, for a heartbeat")
            }
            _ => host("WatchdogSec= has no such setting"),
        };
    };
    if !matches!(health.check, HealthCheck::Heartbeat) {
        return host("belongs to a health check that the host makes");
    }
    let policy = service.map_or(RestartPolicy::Never, |s| s.restart.policy);
    match key {
        Key::HealthTimeout => host("a missing heartbeat has no time-out of its own in systemd"),
        Key::HealthSuccesses if health.successes != 1 => host("one heartbeat is enough for systemd"),
        Key::HealthStartPeriod if !health.start_period.is_zero() => host("WatchdogSec= counts from the start"),
        Key::HealthAction => match (health.action, policy) {
            (HealthAction::Restart, RestartPolicy::OnSuccess) => host("Restart= takes one condition"),
            (HealthAction::Restart, _) => native("WatchdogSec= and Restart="),
            (HealthAction::Stop, RestartPolicy::Never | RestartPolicy::OnSuccess) => native("WatchdogSec="),
            (HealthAction::Stop, _) => host("Restart= would start it again"),
            (HealthAction::Event, _) => host("a missed watchdog always ends the service"),
        },
        _ => native("WatchdogSec="),
    }
}

fn codes(list: Option<&Vec<i32>>, by: &'static str) -> Answer {
    list.and_then(|list| impossible_code(list, "Linux")).unwrap_or_else(|| native(by))
}

fn watch_paths(service: Option<&Service>) -> Answer {
    let Some(watch) = service.and_then(|s| s.watch.as_ref()) else { return native("PathChanged=, without patterns") };
    let bad = watch.paths.iter().find_map(|path| {
        if path.contains(['*', '?', '[']) {
            Some("path units have no patterns for changes")
        } else {
            quote::path_refused(Path::new(path))
        }
    });
    match (bad, service) {
        (Some(why), Some(s)) => hosts(s, why),
        _ => native("PathChanged="),
    }
}
