//! Every key a service can have, as a closed list.
//!
//! Backends answer for keys by an exhaustive `match` over [`Key`] (see [`crate::backend::Backend::answer`]), so a
//! new key does not compile until each backend has chosen: native, host or refused. A test holds that each key
//! of the manifest's tables stands here and none besides.

use serde::{Deserialize, Serialize};

macro_rules! keys {
    ($($(#[$doc:meta])* $variant:ident $path:literal,)*) => {
        /// A key of `[service.NAME]`, by its path.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the variants are named by their paths; the manifest's tables document them")]
        pub enum Key { $($(#[$doc])* $variant,)* }

        impl Key {
            /// Every key, in the order of the manifest's documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its path below `[service.NAME]`.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Self::$variant => $path,)* }
            }
        }
    };
}

keys! {
    Description "description",
    DisplayName "display_name",
    Label "label",
    Documentation "documentation",
    Exec "exec",
    WorkingDir "working_dir",
    User "user",
    Group "group",
    Umask "umask",
    Env "env",
    EnvFile "env_file",
    Start "start",
    Instances "instances",
    Host "host",
    Type "type",
    After "after",
    Requires "requires",
    Wants "wants",
    WaitFor "wait_for",
    ReadyNotify "ready.notify",
    ReadyTcp "ready.tcp",
    ReadyHttp "ready.http",
    ReadyExec "ready.exec",
    ReadyLog "ready.log",
    ReadyFile "ready.file",
    ReadyDelay "ready.delay",
    ReadyTimeout "ready.timeout",
    HealthTcp "health.tcp",
    HealthHttp "health.http",
    HealthExec "health.exec",
    HealthHeartbeat "health.heartbeat",
    HealthInterval "health.interval",
    HealthTimeout "health.timeout",
    HealthFailures "health.failures",
    HealthSuccesses "health.successes",
    HealthStartPeriod "health.start_period",
    HealthAction "health.action",
    RestartPolicy "restart.policy",
    RestartDelay "restart.delay",
    RestartFactor "restart.factor",
    RestartMaxDelay "restart.max_delay",
    RestartJitter "restart.jitter",
    RestartLimit "restart.limit",
    RestartResetAfter "restart.reset_after",
    RestartSuccessCodes "restart.success_codes",
    RestartPreventCodes "restart.prevent_codes",
    StopCommand "stop.command",
    StopSignal "stop.signal",
    StopTimeout "stop.timeout",
    StopKill "stop.kill",
    ReloadSignal "reload.signal",
    ReloadCommand "reload.command",
    ReloadHttp "reload.http",
    ReloadCheck "reload.check",
    WatchPaths "watch.paths",
    WatchAction "watch.action",
    WatchCommand "watch.command",
    WatchDebounce "watch.debounce",
    LogsTo "logs.to",
    LogsFile "logs.file",
    LogsStdout "logs.stdout",
    LogsStderr "logs.stderr",
    LogsFormat "logs.format",
    LogsMaxSize "logs.max_size",
    LogsMaxAge "logs.max_age",
    LogsKeep "logs.keep",
    LogsTotal "logs.total",
    LogsCompress "logs.compress",
    LogsArchive "logs.archive",
    LimitsMemory "limits.memory",
    LimitsCpu "limits.cpu",
    LimitsTasks "limits.tasks",
    LimitsOpenFiles "limits.open_files",
    LimitsPriority "limits.priority",
    ThresholdsMemory "thresholds.memory",
    ThresholdsCpu "thresholds.cpu",
    ThresholdsRestartsPerHour "thresholds.restarts_per_hour",
    SecurityProfile "security.profile",
    SecurityReadWrite "security.read_write",
    SecurityCapabilities "security.capabilities",
    SecuritySecrets "security.secrets",
    HooksPreStart "hooks.pre_start",
    HooksPostStart "hooks.post_start",
    HooksPreStop "hooks.pre_stop",
    HooksPostStop "hooks.post_stop",
    HooksEvent "hooks.event",
    ScheduleEvery "schedule.every",
    ScheduleCalendar "schedule.calendar",
    ScheduleJitter "schedule.jitter",
    SchedulePersistent "schedule.persistent",
    /// The table named like the backend: settings with no common meaning.
    Native "native",
}

impl Key {
    /// The key with this path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.path() == path)
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.path())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_path(&path).ok_or_else(|| serde::de::Error::custom(format!("no key `{path}`")))
    }
}
