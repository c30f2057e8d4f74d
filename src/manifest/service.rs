//! `[service.NAME]`, `[defaults]` and `[...on.NAME]`: what is run, as whom, with what, and everything below.

use serde_json::json;
use toml::de::DeValue;

use super::argv::Argv;
use super::decode::{At, Decoder, Defs, Raw, Value, decode_table, table, words};
use super::env_file::EnvFileItem;
use super::error::{ManifestError, one_of, shown};
use super::health::HealthTable;
use super::hooks::HooksTable;
use super::instances::Instances;
use super::limits::LimitsTable;
use super::logs::LogsTable;
use super::name;
use super::native::{Flat, Nested, Sections};
use super::on::On;
use super::probe::WaitTable;
use super::ready::ReadyTable;
use super::reload::ReloadTable;
use super::restart::RestartTable;
use super::schedule::ScheduleTable;
use super::security::SecurityTable;
use super::stop::StopTable;
use super::text::{Line, List, Named, PathText, Set, Text, integer};
use super::thresholds::ThresholdsTable;
use super::umask::Umask;
use super::watch::WatchTable;
use super::windows::Windows;
use crate::backend::BackendKind;
use crate::service::{HostMode, Kind, Start};

table! {
    /// A service. `exec` alone makes one.
    ServiceTable "service" "[service.NAME]" {
        /// One line for people; the name unless given.
        description: Line = Description,
        /// The name that Windows and launchd tools show.
        display_name: Line = DisplayName,
        /// The launchd label in reverse DNS order; the name unless given.
        label: Label = Label,
        /// Addresses of its documentation.
        documentation: Set<DocUrl> = Documentation,
        /// The command: a list of arguments, or one string, split like a shell would and never given to a shell.
        exec: Argv = Exec,
        /// The folder it starts in.
        working_dir: PathText = WorkingDir,
        /// The account it runs as; system scope.
        user: Line = User,
        /// The group it runs as.
        group: Line = Group,
        /// Permission bits that new files lose, in octal: "0027".
        umask: Umask = Umask,
        /// Variables of its environment.
        env: Named<Text> = Env,
        /// Files of NAME=value lines, read when it starts; later ones win, and env wins over all.
        env_file: List<EnvFileItem> = EnvFile,
        /// When it starts: boot, delayed or manual; boot unless given.
        start: Start = Start,
        /// How many of it, or the names of them; `${instance}` in texts.
        instances: Instances = Instances,
        /// Run under daemonctl's own supervisor: auto, always or never; auto unless given.
        host: HostMode = Host,
        /// service, oneshot (runs to completion) or task (with a schedule); service unless given.
        kind as "type": Kind = Type,
        /// Starts after these.
        after: Set<Line> = After,
        /// Starts after these and fails with them.
        requires: Set<Line> = Requires,
        /// Starts these too, after them, and goes on without them.
        wants: Set<Line> = Wants,
        /// Conditions waited for before each start.
        wait_for: List<Box<WaitTable>> = WaitFor,
        /// When `start` is done.
        ready: Box<ReadyTable>,
        /// Liveness.
        health: Box<HealthTable>,
        /// What happens when it ends by itself.
        restart: Box<RestartTable>,
        /// How it is asked to end.
        stop: Box<StopTable>,
        /// What `reload` does.
        reload: Box<ReloadTable>,
        /// What happens when files change.
        watch: Box<WatchTable>,
        /// Where output goes.
        logs: Box<LogsTable>,
        /// What it may use up.
        limits: Box<LimitsTable>,
        /// What is worth an event.
        thresholds: Box<ThresholdsTable>,
        /// What it may touch.
        security: Box<SecurityTable>,
        /// Commands around its life.
        hooks: Box<HooksTable>,
        /// When a task runs.
        schedule: Box<ScheduleTable>,
        /// The same keys again, for one operating system or backend.
        on: On,
        /// Raw keys of the unit, by section, placed last.
        systemd: Sections,
        /// Raw keys of the property list.
        launchd: Nested,
        /// Settings of the Service Control Manager.
        windows: Windows,
        /// Variables of the OpenRC script.
        openrc: Flat,
        /// Settings of the init script.
        sysv: Flat,
        /// Settings of the run folder.
        runit: Flat,
        /// Variables of the rc.d script.
        rcd: Flat,
        /// Settings of daemonctl's own supervisor.
        embedded: Flat,
    }
}

impl ServiceTable {
    /// Stands for a service of which nothing can be read, so that its name is known.
    fn unread() -> Box<Self> {
        Box::new(Self { broken: true, ..Self::default() })
    }

    /// The native table of a backend, with the place of its key.
    pub(crate) fn native(&self, backend: BackendKind) -> Option<(&super::native::Native, super::source::Span)> {
        match backend {
            BackendKind::Systemd => self.systemd.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Launchd => self.launchd.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Windows => self.windows.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Openrc => self.openrc.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Sysv => self.sysv.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Runit => self.runit.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Rcd => self.rcd.as_ref().map(|field| (&*field.value.0, field.key)),
            BackendKind::Embedded => self.embedded.as_ref().map(|field| (&*field.value.0, field.key)),
        }
    }
}

words!(Start { Boot = "boot", Delayed = "delayed", Manual = "manual" });
words!(HostMode { Auto = "auto", Always = "always", Never = "never" });
words!(Kind { Service = "service", Oneshot = "oneshot", Task = "task" });

/// A launchd label.
#[derive(Debug)]
pub(crate) struct Label(pub(crate) String);

impl Value for Label {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let Line(text) = Line::decode(raw, cx)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '$' | '{' | '}');
        if text.chars().all(plain) && text.len() <= 200 && !text.contains("..") && !text.starts_with(['.', '-']) {
            return Some(Self(text));
        }
        let error = ManifestError::new(raw.span(), format!("`{}` is no label", shown(&text)));
        cx.refuse(
            error.expected("reverse DNS such as \"com.example.web\": letters, digits, `.`, `-`, `_`; at most 200"),
        )
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "minLength": 1, "maxLength": 200 })
    }
}

/// An address of documentation.
#[derive(Debug, PartialEq)]
pub(crate) struct DocUrl(pub(crate) String);

impl Value for DocUrl {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        const SCHEMES: [&str; 5] = ["http://", "https://", "file:", "info:", "man:"];
        let Line(text) = Line::decode(raw, cx)?;
        if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) && !text.contains(char::is_whitespace) {
            return Some(Self(text));
        }
        let error = ManifestError::new(raw.span(), format!("`{}` is no address of documentation", shown(&text)));
        cx.refuse(error.expected(format!("expected one that begins with {}, without spaces", one_of(SCHEMES))))
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "pattern": "^(https?://|file:|info:|man:)" })
    }
}

/// The services by name.
#[derive(Debug, Default)]
pub(crate) struct Services(pub(crate) Vec<(At<String>, Box<ServiceTable>)>);

impl Value for Services {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(entries) = raw.get_ref() else {
            return cx.mistyped(raw, "tables: [service.NAME]");
        };
        let mut services = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let at = key.span().into();
            cx.errors.extend(name::check("a service", key.get_ref(), at));
            if !matches!(value.get_ref(), DeValue::Table(_))
                && super::decode::Table::set(
                    &mut ServiceTable::default(),
                    key.get_ref(),
                    at,
                    value,
                    &mut Decoder::new(cx.source),
                )
            {
                // [service] with the keys of one: the name was forgotten.
                let error = ManifestError::new(
                    at,
                    format!("`{}` stands in `[service]`, which has a table for each service", shown(key.get_ref())),
                );
                cx.errors
                    .push(error.expected("expected `[service.NAME]`").hint("give the service a name: `[service.web]`"));
                continue;
            }
            let table = decode_table::<ServiceTable>(value, cx).unwrap_or_else(ServiceTable::unread);
            services.push((At { value: key.get_ref().clone().into_owned(), at }, table));
        }
        services.sort_by_key(|(name, _)| name.at);
        Some(Self(services))
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,79}$" },
            "additionalProperties": Box::<ServiceTable>::schema(defs),
        })
    }
}

/// The version of the manifest's format.
#[derive(Debug)]
pub(crate) struct Version;

impl Value for Version {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match integer(raw, cx, "the format's version: 1")? {
            1 => Some(Self),
            other => {
                let error =
                    ManifestError::new(raw.span(), format!("this daemonctl reads manifests of version 1, not {other}"));
                cx.refuse(error.hint("write `manifest = 1`, or get a daemonctl that knows the version"))
            }
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "const": 1 })
    }
}

table! {
    /// A manifest of daemonctl: services, and how they run.
    Root "manifest" "a manifest" {
        /// The format's version; 1 unless given.
        manifest: Version,
        /// Laid under every service.
        defaults: Box<ServiceTable>,
        /// The services by name: letters, digits, `-`, `_`, `.`; 1 to 80 characters.
        service: Services,
    }
}
