//! How Windows meets each key of the manifest. Pure.
//!
//! The service control manager starts and stops processes that speak its protocol, keeps their configuration and orders
//! them; what is done with an ordinary program is all done by daemonctl's host, which is that process.

use super::settings;
use crate::backend::answer::{foreign, host, native, refused, secrets_without_credentials, unless};
use crate::backend::{Answer, Target};
use crate::key::Key;
use crate::layout::Scope;
use crate::service::{Dependency, KillScope, Profile, ReloadAction, Service, StopSignal, WatchAction};

pub(super) fn answer(key: Key, service: Option<&Service>, target: &Target) -> Answer {
    if target.scope == Scope::User {
        return refused(
            "the service control manager runs the machine's services only",
            "in user scope use daemonctl's own supervisor: `--backend embedded`",
        );
    }
    match key {
        Key::Description => native("the service's description"),
        Key::DisplayName => native("the service's display name"),
        Key::Label => native("nothing: launchd's name for the service"),
        Key::Documentation => host("kept in the spec; Windows has no place for it"),
        Key::Exec => host("the manager starts the host, and the host the program, in a job object"),
        Key::WorkingDir => host("the program's folder; the host's own is the system's"),
        Key::User => unless(
            service,
            |s| s.user.as_deref().is_some_and(|user| settings::account(user).is_err()),
            native("the service's account"),
            "it is no name of an account",
            r"write `DOMAIN\user`, `.\user`, `LocalService`, `NetworkService` or `LocalSystem`",
        ),
        Key::Group => refused(
            "a process on Windows has all the groups of its account",
            "put it below `[service.NAME.on.linux]`, and make the account a member of the group here",
        ),
        Key::Umask => refused(
            "Windows has access lists that are inherited from the folder, no mask",
            "put it below `[service.NAME.on.linux]`, and set the folder's access list here",
        ),
        Key::Env | Key::EnvFile => host("the program's environment; what the manager keeps could be read by everybody"),
        Key::Start => native("automatic, automatic (delayed) or manual"),
        Key::Instances => native("one service an instance, NAME@INSTANCE"),
        Key::Host => native("nothing: every service runs under the host here"),
        Key::Type => {
            host("a oneshot has completed when it ends with success; a task is up while it waits for its next run")
        }
        Key::Requires => match foreign(service.map(|s| &s.requires)) {
            Some(name) => refused(
                format!("`{name}` is a unit of another service manager"),
                "name a service of Windows in `dependencies` of `[service.NAME.windows]`",
            ),
            None => native("the service's dependencies"),
        },
        Key::After => order(service.map(|s| &s.after)),
        Key::Wants => order(service.map(|s| &s.wants)),
        Key::WaitFor => host("asked before each start"),
        Key::ReadyNotify => host("a named pipe whose name is in NOTIFY_SOCKET"),
        Key::ReadyTcp
        | Key::ReadyHttp
        | Key::ReadyExec
        | Key::ReadyFile
        | Key::ReadyLog
        | Key::ReadyDelay
        | Key::ReadyTimeout => host("asked by the host; the service is in START_PENDING until then"),
        Key::HealthTcp
        | Key::HealthHttp
        | Key::HealthExec
        | Key::HealthHeartbeat
        | Key::HealthInterval
        | Key::HealthTimeout
        | Key::HealthFailures
        | Key::HealthSuccesses
        | Key::HealthStartPeriod
        | Key::HealthAction => host("asked by the host"),
        Key::RestartPolicy
        | Key::RestartDelay
        | Key::RestartFactor
        | Key::RestartMaxDelay
        | Key::RestartJitter
        | Key::RestartLimit
        | Key::RestartResetAfter
        | Key::RestartSuccessCodes
        | Key::RestartPreventCodes => {
            host("the host's restart policy; the manager's failure actions bring back the host")
        }
        Key::StopCommand => host("run before the program is asked to end"),
        Key::StopSignal => unless(
            service,
            |s| matches!(s.stop.signal, StopSignal::Signal(_)),
            host("Ctrl-C or Ctrl-Break on the program's own console, or WM_CLOSE to its windows"),
            "Windows has no signals",
            "put `stop = { signal = \"ctrl-c\" }` below `[service.NAME.on.windows]`",
        ),
        Key::StopTimeout => host("then the job object is ended; the preshutdown time is as long"),
        Key::StopKill => unless(
            service,
            |s| s.stop.kill != KillScope::Tree,
            host("a job object ends with all that is in it"),
            "the job object that holds the program's processes ends with the service, and all of them with it",
            "write `kill = \"tree\"`, or put it below `[service.NAME.on.linux]`",
        ),
        Key::ReloadSignal => refused(
            "Windows has no signals",
            "give a `reload.command` or `reload.http` below `[service.NAME.on.windows]`",
        ),
        Key::ReloadCommand | Key::ReloadHttp | Key::ReloadCheck => host("done by the host when it gets PARAMCHANGE"),
        Key::WatchAction => unless(
            service,
            |s| {
                s.watch.as_ref().is_some_and(|watch| watch.action == WatchAction::Reload)
                    && s.reload.as_ref().is_none_or(|reload| matches!(reload.action, ReloadAction::Signal(_)))
            },
            host("done by the host"),
            "a change shall reload the service, and it has no `reload` that works here",
            "add `reload.command` or `reload.http`, or use `action = \"restart\"`",
        ),
        Key::WatchPaths | Key::WatchCommand | Key::WatchDebounce => host("watched by the host"),
        Key::LogsTo => host(
            "the given files, or the host's own where none is given; the Event Log gets what becomes of the service",
        ),
        Key::LogsFile | Key::LogsStdout | Key::LogsStderr => host("written by the host"),
        Key::LogsFormat => host("written so by the host; in its own files each line has its time by default"),
        Key::LogsMaxSize | Key::LogsMaxAge | Key::LogsKeep | Key::LogsTotal | Key::LogsCompress => {
            host("rotated by the host")
        }
        Key::LogsArchive => host("rotated files move there, or are given to the command"),
        Key::LimitsMemory => host("the job object's limit of committed memory"),
        Key::LimitsCpu => host("the job object's share of the processors"),
        Key::LimitsTasks => host("the job object's limit of processes"),
        Key::LimitsOpenFiles => {
            refused("Windows has no limit of open handles", "put it below `[service.NAME.on.linux]`")
        }
        Key::LimitsPriority => host("the job object's priority class"),
        Key::ThresholdsMemory | Key::ThresholdsCpu | Key::ThresholdsRestartsPerHour => {
            host("what a service uses is sampled by the host, of those that have thresholds")
        }
        Key::SecurityProfile => unless(
            service,
            |s| s.security.profile != Profile::None,
            native("nothing is restricted beyond what the account may do"),
            "the profiles are made of what Linux has",
            "use `profile = \"none\"` here, with `sid_type = \"restricted\"` and `required_privileges` in \
             `[service.NAME.windows]`",
        ),
        Key::SecurityReadWrite => unless(
            service,
            |s| s.security.profile != Profile::None,
            native("nothing: without a profile everything that the account may write is writable"),
            "the profiles are made of what Linux has",
            "remove it with the profile, and set the folders' access lists",
        ),
        Key::SecurityCapabilities => {
            refused("capabilities are a thing of Linux", "give `required_privileges` in `[service.NAME.windows]`")
        }
        Key::SecuritySecrets => secrets_without_credentials(
            service,
            host("variables, read at each start from files that only administrators and the service can read"),
        ),
        Key::HooksPreStart | Key::HooksPostStart | Key::HooksPreStop | Key::HooksPostStop => {
            host("run by the host, as the service's account")
        }
        Key::HooksEvent => host("told of each event by the host"),
        Key::ScheduleEvery | Key::ScheduleJitter | Key::ScheduleCalendar | Key::SchedulePersistent => {
            host("kept by the host, which runs while the task waits for its next run")
        }
        Key::Native => match service.map(|s| settings::read(&s.native)) {
            Some(Err(why)) => refused(why, "see `daemonctl schema` for the keys and how they are written"),
            None | Some(Ok(_)) => native("the service's configuration"),
        },
    }
}

/// The manager's one sort of dependency starts the other service too, and fails with it: this order is daemonctl's.
fn order(list: Option<&Vec<Dependency>>) -> Answer {
    match foreign(list) {
        None => native(
            "the order in which daemonctl starts and stops; at boot the manager starts all at once that `requires` does not order",
        ),
        Some(name) => refused(
            format!("`{name}` is a unit of another service manager"),
            "wait for what it provides with `wait_for`, or put it below `[service.NAME.on.linux]`",
        ),
    }
}
