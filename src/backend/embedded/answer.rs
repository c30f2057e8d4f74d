//! What the supervisor makes of each key. Pure.

use crate::backend::answer::{foreign, native, refused, unless};
use crate::backend::windows::Windows;
use crate::backend::{Answer, Backend as _, Target};
use crate::key::Key;
use crate::layout::Scope;
use crate::service::{Dependency, Profile, Secret, Service, StopSignal};

fn secrets(service: Option<&Service>, target: &Target) -> Answer {
    let what = "variables, read from 0600 files at each start; credentials as files in $CREDENTIALS_DIRECTORY";
    let credentials = service.into_iter().flat_map(|service| &service.security.secrets).filter_map(|(name, secret)| {
        if let Secret::Credential(source) = secret { Some((name.as_str(), source.as_str())) } else { None }
    });
    for (name, source) in credentials {
        if target.os == "windows" {
            let remedy = "name a source: `{ file = ... }`, `{ env = ... }` or `{ command = ... }`";
            return refused("credentials are a thing of Unix", remedy);
        }
        if !source.starts_with('/') {
            return refused("only systemd keeps credentials by name", "give the path of its file");
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.starts_with('.') || !name.bytes().all(fits) {
            return refused("a credential is a file of that name", "use letters, digits, `-`, `_` and `.`");
        }
    }
    native(what)
}

/// Where processes are Windows', the supervisor does with them what the host of a single service does there.
fn on_windows(key: Key, service: Option<&Service>, target: &Target) -> Option<Answer> {
    match key {
        Key::User if target.scope == Scope::System => Some(refused(
            "the supervisor cannot log on as another account",
            "have the service control manager run it: `--backend windows`",
        )),
        Key::StopTimeout => Some(native("then its job object is ended")),
        Key::Group
        | Key::Umask
        | Key::StopSignal
        | Key::StopKill
        | Key::ReloadSignal
        | Key::WatchAction
        | Key::LimitsMemory
        | Key::LimitsCpu
        | Key::LimitsTasks
        | Key::LimitsOpenFiles
        | Key::LimitsPriority => {
            let machine = Target { scope: Scope::System, ..target.clone() };
            Some(match Windows.answer(key, service, &machine) {
                Answer::Host(how) => Answer::Native(how),
                other => other,
            })
        }
        _ => None,
    }
}

pub(super) fn answer(key: Key, service: Option<&Service>, target: &Target) -> Answer {
    if target.os == "windows"
        && let Some(answer) = on_windows(key, service, target)
    {
        return answer;
    }
    match key {
        Key::Description | Key::Documentation => native("kept in the spec"),
        Key::DisplayName => native("nothing: a name for Windows and launchd tools"),
        Key::Label => native("nothing: launchd's name for the service"),
        Key::Exec => native("started by the supervisor, in a session of its own"),
        Key::WorkingDir => native("chdir before the program runs"),
        Key::User | Key::Group if target.scope == Scope::User => refused(
            "a user's supervisor cannot change to another account",
            "leave it out, or install for the machine with `--system`",
        ),
        Key::User | Key::Group => native("setuid, setgid and the account's supplementary groups"),
        Key::Umask => native("umask"),
        Key::Env | Key::EnvFile => native("the environment, which holds nothing else but a documented base"),
        Key::Start => native("a marker that the supervisor reads at its start"),
        Key::Instances => native("one unit an instance"),
        Key::Host => native("nothing: everything runs under the supervisor here"),
        Key::Type => native("run by the supervisor; a task when its schedule says so"),
        Key::After => dependencies(service.map(|s| &s.after)),
        Key::Requires => dependencies(service.map(|s| &s.requires)),
        Key::Wants => dependencies(service.map(|s| &s.wants)),
        Key::WaitFor => native("asked before each start"),
        Key::ReadyNotify => native("a NOTIFY_SOCKET of the unit's own"),
        Key::ReadyTcp | Key::ReadyHttp | Key::ReadyExec | Key::ReadyFile => native("asked until it answers"),
        Key::ReadyLog => native("looked for in the captured output"),
        Key::ReadyDelay | Key::ReadyTimeout => native("a timer"),
        Key::HealthTcp
        | Key::HealthHttp
        | Key::HealthExec
        | Key::HealthHeartbeat
        | Key::HealthInterval
        | Key::HealthTimeout
        | Key::HealthFailures
        | Key::HealthSuccesses
        | Key::HealthStartPeriod
        | Key::HealthAction => native("asked by the supervisor"),
        Key::RestartPolicy
        | Key::RestartDelay
        | Key::RestartFactor
        | Key::RestartMaxDelay
        | Key::RestartJitter
        | Key::RestartLimit
        | Key::RestartResetAfter
        | Key::RestartSuccessCodes
        | Key::RestartPreventCodes => native("the supervisor's restart policy"),
        Key::StopCommand => native("run before the signal"),
        Key::StopSignal => unless(
            service,
            |s| !matches!(s.stop.signal, StopSignal::Signal(_)),
            native("sent to the main process, then to what it leaves behind"),
            "Ctrl-C, Ctrl-Break and closing windows are Windows' ways",
            "name a Unix signal, and put the other below `[service.NAME.on.windows]`",
        ),
        Key::StopTimeout => native("then SIGKILL"),
        Key::StopKill => native("found by descent, session and a mark in the environment"),
        Key::ReloadSignal | Key::ReloadCommand | Key::ReloadCheck => native("done by the supervisor"),
        Key::ReloadHttp => native("a POST request by the supervisor"),
        Key::WatchPaths | Key::WatchAction | Key::WatchCommand | Key::WatchDebounce
            if !matches!(target.os, "linux" | "macos" | "freebsd" | "windows") =>
        {
            refused(
                "the supervisor watches files on Linux, macOS, FreeBSD and Windows only",
                "put the `watch` table below `[service.NAME.on.linux]`, and run `daemonctl reload` after a change here",
            )
        }
        Key::WatchPaths => native("watched by the supervisor, with patterns"),
        Key::WatchAction | Key::WatchCommand => native("done by the supervisor; `reload.check` comes first"),
        Key::WatchDebounce => native("a timer"),
        Key::LogsTo => native("the given files, or the supervisor's own folder where none is given"),
        Key::LogsFile | Key::LogsStdout | Key::LogsStderr => native("written by the supervisor"),
        Key::LogsFormat => native("written so by the supervisor; in its own files each line has its time by default"),
        Key::LogsMaxSize | Key::LogsMaxAge | Key::LogsKeep | Key::LogsTotal | Key::LogsCompress => {
            native("rotated by the supervisor")
        }
        Key::LogsArchive => native("rotated files move there, or are given to the command"),
        Key::LimitsMemory | Key::LimitsCpu | Key::LimitsTasks if target.os != "linux" => refused(
            "the supervisor has control groups on Linux only",
            "put it below `[service.NAME.on.linux]`, and limit it here with the system's own means",
        ),
        Key::LimitsMemory | Key::LimitsCpu | Key::LimitsTasks => {
            native("a control group; install refuses where the supervisor may make none")
        }
        Key::LimitsOpenFiles => native("RLIMIT_NOFILE"),
        Key::LimitsPriority => native("the nice value"),
        Key::ThresholdsMemory | Key::ThresholdsCpu => native(
            "sampled by the supervisor, every 500 ms to 5 s by load, while something is near its threshold or not",
        ),
        Key::ThresholdsRestartsPerHour => native("counted by the supervisor"),
        Key::SecurityProfile => profile(service, target),
        Key::SecurityReadWrite => native(match target.scope {
            Scope::System => "writable though the profile makes what is above them read-only",
            Scope::User => "nothing: what the account may write is writable",
        }),
        Key::SecurityCapabilities if target.os != "linux" => {
            refused("capabilities are a thing of Linux", "put it below `[service.NAME.on.linux]`")
        }
        Key::SecurityCapabilities if target.scope == Scope::User => refused(
            "a user's supervisor has no capabilities to give or take",
            "leave it out, or install for the machine with `--system`",
        ),
        Key::SecurityCapabilities => {
            native("the bounding set, and the ambient set for who is not root; install refuses what nobody here has")
        }
        Key::SecuritySecrets => secrets(service, target),
        Key::HooksPreStart | Key::HooksPostStart | Key::HooksPreStop | Key::HooksPostStop => {
            native("run by the supervisor, as the service's user")
        }
        Key::HooksEvent => native(
            "told of each event by the supervisor: commands, and webhooks by a POST of JSON, signed where they have a `secret`",
        ),
        Key::ScheduleEvery | Key::ScheduleJitter => native("a timer of the supervisor"),
        Key::ScheduleCalendar => native("a timer of the supervisor, by the local clock"),
        Key::SchedulePersistent => native("the last run is kept on disk, and one that was missed is made up for"),
        Key::Native => unless(
            service,
            |s| !s.native.is_null() && s.native != serde_json::json!({}),
            native("no settings of its own"),
            "the supervisor has no settings beyond the common keys",
            "remove the `embedded` table",
        ),
    }
}

fn dependencies(list: Option<&Vec<Dependency>>) -> Answer {
    match foreign(list) {
        None => native("the order in which the supervisor starts"),
        Some(name) => refused(
            format!("`{name}` belongs to another service manager, which the supervisor knows nothing of"),
            "wait for what it provides with `wait_for`, or put it below `[service.NAME.on.systemd]`",
        ),
    }
}

fn profile(service: Option<&Service>, target: &Target) -> Answer {
    let profile = service.map_or(Profile::Standard, |s| s.security.profile);
    if profile == Profile::None {
        return native("nothing to do");
    }
    if target.os != "linux" {
        return refused(
            "the supervisor builds sandboxes on Linux only",
            "put it below `[service.NAME.on.linux]`, or use `profile = \"none\"`",
        );
    }
    if profile == Profile::Strict && target.scope == Scope::User {
        return refused(
            "a user's supervisor can't take away what `strict` takes (file systems, devices, capabilities)",
            "use `standard`, or install in system scope (`--system`)",
        );
    }
    let temporary = |path: &str| path.starts_with("/tmp/") || path.starts_with("/var/tmp/");
    let in_private = service.is_some_and(|s| {
        s.exec.first().is_some_and(|program| temporary(program))
            || s.working_dir.as_ref().is_some_and(|folder| temporary(&folder.to_string_lossy()))
    });
    match target.scope {
        Scope::System if in_private => refused(
            "the service gets a /tmp of its own, which hides what lies in yours",
            "move the program and its folder, or use `profile = \"none\"`",
        ),
        Scope::System if profile == Profile::Strict => native(
            "no privileges at all, only the system calls and sockets of a network service, no memory that is written and \
             executed, everything read-only but `read_write`, no devices, homes or other processes to be seen, a /tmp, \
             /var/tmp and /dev/shm of its own, in memory; install refuses where the supervisor may make no mounts",
        ),
        Scope::System => native(
            "no new privileges, a filter of system calls, system folders and kernel settings read-only, and a /tmp and \
             /var/tmp of its own, in memory; install refuses where the supervisor may make no mounts",
        ),
        Scope::User => native("no new privileges, and a filter of system calls"),
    }
}
