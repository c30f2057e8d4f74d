//! How launchd meets each key of the manifest.
//!
//! Natively wherever a key of the property list means the same thing; where it only means something like it (a throttle
//! that counts from the last start, a group where a tree is meant), daemonctl's host takes over rather than let a wish be
//! half met. What neither of them can do is refused.

use super::{calendar, keys, names, text};
use crate::backend::answer::{
    endless, foreign, host, impossible_code, native, refused, secrets_without_credentials, windows_stop,
};
use crate::backend::{Answer, Target};
use crate::key::Key;
use crate::layout::Scope;
use crate::service::{
    Dependency, KillScope, Kind, LogFile, LogFormat, Priority, Profile, ReloadAction, RestartPolicy, Service, Signal,
    Start, StopSignal,
};

/// The answer for a key, for this service or in general.
pub(super) fn answer(key: Key, service: Option<&Service>, target: &Target) -> Answer {
    let user_scope = target.scope == Scope::User;
    match key {
        Key::Description | Key::Documentation => native("kept by daemonctl: a property list has no place for it"),
        Key::DisplayName => native("nothing: launchd and its tools name a job by its label"),
        Key::Label => match service.map(|s| names::all(s, target)) {
            Some(Err(error)) => refused(error.to_string(), error.hints().join("; ")),
            _ => native("Label, and the name of the property list"),
        },
        Key::Exec if service.is_some_and(|s| needs_runtime_folder(s, target)) => {
            host("`${runtime_dir}` is gone after a boot, and launchd makes no folders")
        }
        Key::Exec => texts(
            service.into_iter().flat_map(|s| s.exec.iter().map(String::as_str)),
            "an argument",
            "ProgramArguments",
        ),
        Key::WorkingDir => {
            let folder = service.and_then(|s| s.working_dir.as_deref()).map(|path| path.to_string_lossy().into_owned());
            texts(folder.as_deref(), "the folder's path", "WorkingDirectory")
        }
        Key::User | Key::Group if user_scope => refused(
            "an agent runs as its user; launchd passes UserName and GroupName over",
            "leave it out, or install in system scope (`--system`)",
        ),
        Key::User => account(service.and_then(|s| s.user.as_deref()), "UserName"),
        Key::Group => account(service.and_then(|s| s.group.as_deref()), "GroupName"),
        Key::Umask => native("Umask"),
        Key::Env => texts(
            service.into_iter().flat_map(|s| s.env.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])),
            "a variable",
            "EnvironmentVariables",
        ),
        Key::EnvFile => host("launchd reads no files of variables"),
        Key::Start => start(service),
        Key::Instances => native("a job an instance, LABEL@INSTANCE"),
        Key::Host => native("decides whether ProgramArguments is the program or daemonctl's host"),
        Key::Type => native("RunAtLoad and KeepAlive; StartInterval or StartCalendarInterval for a task"),
        Key::After => dependencies(service.map(|s| &s.after)),
        Key::Requires => dependencies(service.map(|s| &s.requires)),
        Key::Wants => dependencies(service.map(|s| &s.wants)),
        Key::WaitFor => host("launchd waits for nothing before it starts a job"),
        Key::ReadyNotify
        | Key::ReadyTcp
        | Key::ReadyHttp
        | Key::ReadyExec
        | Key::ReadyLog
        | Key::ReadyFile
        | Key::ReadyDelay
        | Key::ReadyTimeout => host("launchd knows no readiness: to it a job that has been started is up"),
        Key::HealthTcp
        | Key::HealthHttp
        | Key::HealthExec
        | Key::HealthHeartbeat
        | Key::HealthInterval
        | Key::HealthTimeout
        | Key::HealthFailures
        | Key::HealthSuccesses
        | Key::HealthStartPeriod
        | Key::HealthAction => host("launchd asks no job how it is"),
        Key::RestartPolicy => match service {
            Some(s)
                if s.kind != Kind::Service
                    && matches!(s.restart.policy, RestartPolicy::Always | RestartPolicy::OnSuccess) =>
            {
                endless()
            }
            Some(s) if s.kind == Kind::Task && s.restart.policy != RestartPolicy::Never => refused(
                "with KeepAlive launchd would run the task at once and not wait for its time",
                "use `never`: the next run comes with the schedule",
            ),
            _ => native("KeepAlive: true, or SuccessfulExit in it"),
        },
        Key::RestartDelay => host("ThrottleInterval counts from the last start, not from the end of it"),
        Key::RestartFactor | Key::RestartMaxDelay => match service {
            Some(s) if s.restart.factor <= 1.0 => native("launchd's delay between restarts does not grow"),
            _ => host("launchd's delay between restarts does not grow"),
        },
        Key::RestartJitter => match service {
            Some(s) if s.restart.jitter <= 0.0 => native("ThrottleInterval has none"),
            _ => host("ThrottleInterval is always exact"),
        },
        Key::RestartLimit => host("launchd never gives up on a job"),
        Key::RestartResetAfter => host("launchd counts no restarts in a row"),
        Key::RestartSuccessCodes => codes(
            service.map(|s| s.restart.success_codes.as_slice()),
            &[0],
            "KeepAlive's SuccessfulExit",
            "to KeepAlive's SuccessfulExit only 0 is success",
        ),
        Key::RestartPreventCodes => codes(
            service.map(|s| s.restart.prevent_codes.as_slice()),
            &[],
            "nothing to prevent",
            "KeepAlive has no exit codes that end it",
        ),
        Key::StopCommand => host("launchd stops a job by a signal only"),
        Key::StopSignal => match service.map(|s| s.stop.signal) {
            None | Some(StopSignal::Signal(Signal::Term)) => native("launchd sends SIGTERM"),
            Some(StopSignal::Signal(_)) => host("launchd always sends SIGTERM"),
            Some(StopSignal::CtrlC | StopSignal::CtrlBreak | StopSignal::Close) => windows_stop(),
        },
        Key::StopTimeout => match service {
            Some(s) if s.stop.timeout.subsec_nanos() != 0 => host("ExitTimeOut is in whole seconds"),
            _ => native("ExitTimeOut"),
        },
        Key::StopKill => match service.map(|s| s.stop.kill) {
            None | Some(KillScope::Group) => native("launchd kills the job's process group"),
            Some(KillScope::Main) => native("AbandonProcessGroup"),
            Some(KillScope::Tree) => host("launchd kills the job's process group, not what left it"),
        },
        Key::ReloadSignal => match service.and_then(|s| s.reload.as_ref()) {
            Some(reload) if reload.check.is_some() => host("launchd knows no reload, nor a check before it"),
            _ => native("`launchctl kill`, by `daemonctl reload`"),
        },
        Key::ReloadCommand | Key::ReloadHttp => host("launchd knows no reload"),
        Key::ReloadCheck => match service.and_then(|s| s.reload.as_ref()).map(|reload| &reload.action) {
            None | Some(ReloadAction::Signal(_) | ReloadAction::Command(_) | ReloadAction::Http(_)) => {
                host("launchd knows no reload, nor a check before it")
            }
        },
        Key::WatchPaths | Key::WatchAction | Key::WatchCommand | Key::WatchDebounce => match service {
            Some(s) if s.kind != Kind::Service => refused(
                "daemonctl's host would watch these files, and it ends with what runs to completion",
                "leave it out",
            ),
            _ => host("WatchPaths starts a job, it reloads none"),
        },
        Key::LogsTo => match service.map(|s| &s.logs) {
            Some(logs) if logs.native && logs.file.is_some() => {
                host("launchd writes to one file, not to its own and another")
            }
            _ => native(
                "StandardOutPath and StandardErrorPath; what the program logs itself is in the unified log, which `logs` reads \
                 where `to` asks for `native`",
            ),
        },
        Key::LogsFile | Key::LogsStdout | Key::LogsStderr => log_file(service),
        Key::LogsFormat => match service.map(|s| s.logs.format) {
            Some(LogFormat::Raw) => native("StandardOutPath adds nothing to a line"),
            _ => host("launchd passes lines on as they come"),
        },
        Key::LogsMaxSize | Key::LogsMaxAge | Key::LogsKeep | Key::LogsTotal | Key::LogsCompress | Key::LogsArchive => {
            host("launchd never rotates a file, and keeps it open")
        }
        Key::LimitsMemory => refused(
            "launchd limits no job's memory: macOS does not enforce ResidentSetSize",
            "put it below `[service.NAME.on.linux]`",
        ),
        Key::LimitsCpu => refused(
            "launchd has no share of processors to give",
            "put it below `[service.NAME.on.linux]`, or use `limits.priority`",
        ),
        Key::LimitsTasks => refused(
            "launchd's NumberOfProcesses counts all processes of the account, not those of the job",
            "put it below `[service.NAME.on.linux]`",
        ),
        Key::LimitsOpenFiles => native("NumberOfFiles of SoftResourceLimits and HardResourceLimits"),
        Key::LimitsPriority => match service.and_then(|s| s.limits.priority) {
            Some(Priority::High) if user_scope => {
                refused("a user may not raise a priority", "use `normal`, or install in system scope (`--system`)")
            }
            _ => native("Nice and LowPriorityIO; ProcessType Background for `idle`"),
        },
        Key::ThresholdsMemory | Key::ThresholdsCpu | Key::ThresholdsRestartsPerHour => {
            host("launchd tells nobody what a job uses")
        }
        Key::SecurityProfile => match service {
            Some(s) if s.security.profile != Profile::None => refused(
                "launchd builds no sandbox from a property list",
                "use `profile = \"none\"` here, below `[service.NAME.on.macos]`",
            ),
            _ => native("nothing is restricted"),
        },
        Key::SecurityReadWrite => match service {
            Some(s) if s.security.profile != Profile::None => {
                refused("launchd builds no sandbox from a property list", "remove it with the profile")
            }
            _ => native("nothing: without a profile everything that the account may write is writable"),
        },
        Key::SecurityCapabilities => {
            refused("capabilities are a thing of Linux", "put it below `[service.NAME.on.linux]`")
        }
        Key::SecuritySecrets => secrets_without_credentials(service, host("everybody may read a property list")),
        Key::HooksPreStart | Key::HooksPostStart | Key::HooksPreStop | Key::HooksPostStop => {
            host("launchd runs nothing around a job")
        }
        Key::HooksEvent => host("launchd tells nobody of a job's restarts"),
        Key::ScheduleEvery => calendar::every_answer(service),
        Key::ScheduleCalendar => calendar::answer(service),
        Key::ScheduleJitter => match service.and_then(|s| s.schedule.as_ref()) {
            Some(schedule) if schedule.jitter.is_zero() => native("launchd adds none"),
            _ => refused("launchd runs every job exactly at its time", "leave `jitter` out, and wait in the program"),
        },
        Key::SchedulePersistent => match service.and_then(|s| s.schedule.as_ref()) {
            Some(schedule) if schedule.persistent => refused(
                "launchd makes up for a run that the machine slept through, not for one while it was off",
                "leave `persistent` out; a run missed in sleep comes after it in any case",
            ),
            _ => native("StartCalendarInterval"),
        },
        Key::Native => match service.map(|s| keys::check(&s.native, target.scope)) {
            Some(Err(fault)) => refused(fault.why, fault.remedy),
            _ => native("keys of the property list, placed last"),
        },
    }
}

/// Whether its texts name the folder that is made anew at each boot.
fn needs_runtime_folder(service: &Service, target: &Target) -> bool {
    let folders = crate::manifest::folders(service, &target.layout);
    folders.iter().any(|folder| folder.starts_with(&target.layout.runtime))
}

/// The host carries any text: its spec is JSON.
fn texts<'a>(texts: impl IntoIterator<Item = &'a str>, what: &str, by: &'static str) -> Answer {
    match text::first_refused(texts) {
        None => native(by),
        Some(why) if why.contains("NUL") => refused(format!("{what} {why}"), "leave it out"),
        Some(why) => host(format!("{what} {why}")),
    }
}

fn account(name: Option<&str>, by: &'static str) -> Answer {
    match name {
        Some(name) if name.bytes().all(|b| b.is_ascii_digit()) => host(format!("{by} takes names only")),
        Some(name) => texts([name], "the name", by),
        None => native(by),
    }
}

fn start(service: Option<&Service>) -> Answer {
    match service.map(|s| (s.start, s.kind, s.restart.policy)) {
        Some((Start::Delayed, ..)) => refused(
            "launchd has no delayed start",
            "use `start = \"boot\"`; a `wait_for` or a `hooks.pre_start` can hold it back",
        ),
        // Reports differ on whether a job that ends while its label is disabled is started again.
        Some((Start::Manual, Kind::Service, policy)) if policy != RestartPolicy::Never => host(
            "launchd may leave a job alone that ends while it is disabled, and that is what keeps it from the boot",
        ),
        _ => native("RunAtLoad; launchd's own list of what is disabled for `manual`"),
    }
}

fn dependencies(list: Option<&Vec<Dependency>>) -> Answer {
    match foreign(list) {
        // A host for each would not help: launchd starts those all at once as well.
        None => native("the order in which daemonctl starts and stops; at boot launchd starts all jobs at once"),
        Some(name) => refused(
            format!("`{name}` is no service of this manifest, and launchd knows no order"),
            "wait for what it provides with `wait_for`, or put it below `[service.NAME.on.systemd]`",
        ),
    }
}

fn codes(list: Option<&[i32]>, known: &[i32], by: &'static str, why: &'static str) -> Answer {
    let Some(list) = list else { return host(why) };
    if let Some(impossible) = impossible_code(list, "Unix") {
        return impossible;
    }
    if list.iter().all(|code| known.contains(code)) { native(by) } else { host(why) }
}

fn log_file(service: Option<&Service>) -> Answer {
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    match service.and_then(|s| s.logs.file.as_ref()) {
        None => native("StandardOutPath and StandardErrorPath"),
        Some(LogFile::Default) => host("the host keeps that folder"),
        Some(LogFile::One(file)) => {
            texts([path(file).as_str()], "the file's path", "StandardOutPath and StandardErrorPath")
        }
        Some(LogFile::Apart { stdout, stderr }) => texts(
            [path(stdout).as_str(), path(stderr).as_str()],
            "a file's path",
            "StandardOutPath and StandardErrorPath",
        ),
    }
}
