//! `[service.NAME.hooks]`: commands around a service's life.
//!
//! Each key is one command (`["./web", "migrate"]`, or a string) or a list of entries: commands, tables with `command`,
//! `timeout` and `on_failure`, or, for `event`, tables with `webhook`.

use std::time::Duration;

use serde_json::json;
use toml::de::DeValue;

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::{At, Decoder, Defs, Field, Raw, Value, table, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::security::{self, SecretTable};
use super::text::Url;
use super::units::SomeTime;
use crate::service::{Hook, HookAction, HookFailure, Hooks, Secret};

/// Long enough for a migration.
const TIMEOUT: Duration = Duration::from_secs(300);

table! {
    /// Commands around its life.
    HooksTable "hooks" "[service.NAME.hooks]" {
        /// Before each start; a failure prevents it unless `on_failure` is "ignore".
        pre_start: HookList = HooksPreStart,
        /// When it is up.
        post_start: HookList = HooksPostStart,
        /// Before it is asked to end.
        pre_stop: HookList = HooksPreStop,
        /// When it is gone.
        post_stop: HookList = HooksPostStop,
        /// On every event: it started, failed, restarts, gave up, got unhealthy. The event is in `DAEMONCTL_EVENT` and
        /// others, and as JSON (`daemonctl schema events`) on standard input.
        event: HookList = HooksEvent,
    }
}

table! {
    /// A command around its life, or a web address that is told of events.
    HookTable "hook" "a hook" {
        /// What is run.
        command: Argv,
        /// A POST request; for `event` only.
        webhook: Url,
        /// What a webhook's requests are signed with (HMAC-SHA256, as Standard Webhooks has it): file, env or command.
        secret: Box<SecretTable>,
        /// Then it is killed, and has failed; 5m unless given.
        timeout: SomeTime,
        /// abort or ignore; abort for `pre_start`, ignore for the others unless given.
        on_failure: HookFailure,
    }
}

words!(HookFailure { Abort = "abort", Ignore = "ignore" });

/// An entry of a list.
#[derive(Debug)]
pub(crate) enum Entry {
    Command(Argv),
    Table(Box<HookTable>),
}

impl Value for Entry {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match raw.get_ref() {
            DeValue::Table(_) => Box::<HookTable>::decode(raw, cx).map(Self::Table),
            DeValue::String(_) | DeValue::Array(_) => Argv::decode(raw, cx).map(Self::Command),
            _ => cx.mistyped(raw, "a command, or a table such as { command = [\"./alert\"], timeout = \"10s\" }"),
        }
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({ "anyOf": [Argv::schema(defs), Box::<HookTable>::schema(defs)] })
    }
}

/// One command, or a list of entries.
#[derive(Debug)]
pub(crate) struct HookList(Vec<At<Entry>>);

impl Value for HookList {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = raw.get_ref() else {
            let entry = Entry::decode(raw, cx)?;
            return Some(Self(vec![At { value: entry, at: raw.span().into() }]));
        };
        let strings = items.iter().filter(|item| item.get_ref().is_str()).count();
        if strings == 0 {
            return cx.list(raw, "a list of commands").map(Self);
        }
        if strings == items.len() {
            let argv = Argv::decode(raw, cx)?;
            return Some(Self(vec![At { value: Entry::Command(argv), at: raw.span().into() }]));
        }
        let error = ManifestError::new(raw.span(), format!("`{}` mixes arguments and entries", cx.key()));
        let error = error.expected("one command such as [\"./web\", \"migrate\"], or a list of commands and tables");
        cx.refuse(error.hint("write each command of several in brackets of its own: [[\"./a\"], [\"./b\", \"-x\"]]"))
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string" } },
            { "type": "array", "items": {
                "anyOf": [
                    { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                    Box::<HookTable>::schema(defs),
                ],
            } },
            Box::<HookTable>::schema(defs),
        ] })
    }
}

/// The service's hooks.
pub(crate) fn build(layers: Option<Layers<'_, HooksTable>>, cx: &mut Build<'_>) -> Hooks {
    let Some(layers) = layers else {
        return Hooks::default();
    };
    let mut list = |field: Option<&Field<HookList>>, failure, event| -> Vec<Hook> {
        let entries = field.iter().flat_map(|field| &field.value.0);
        entries.filter_map(|entry| hook(entry, failure, event, cx)).collect()
    };
    Hooks {
        pre_start: list(layers.get(|table| &table.pre_start), HookFailure::Abort, false),
        post_start: list(layers.get(|table| &table.post_start), HookFailure::Ignore, false),
        pre_stop: list(layers.get(|table| &table.pre_stop), HookFailure::Ignore, false),
        post_stop: list(layers.get(|table| &table.post_stop), HookFailure::Ignore, false),
        event: list(layers.get(|table| &table.event), HookFailure::Ignore, true),
    }
}

fn hook(entry: &At<Entry>, failure: HookFailure, event: bool, cx: &mut Build<'_>) -> Option<Hook> {
    let table = match &entry.value {
        Entry::Command(command) => {
            return Some(Hook {
                action: HookAction::Command(cx.argv(command)),
                timeout: TIMEOUT,
                on_failure: failure,
                secret: None,
            });
        }
        Entry::Table(table) => table,
    };
    let keys = [("command", key_of(table.command.as_ref())), ("webhook", key_of(table.webhook.as_ref()))];
    if !cx.exactly_one("a hook", entry.at, table.broken, &keys) {
        return None;
    }
    let on_failure = table.on_failure.as_ref().map_or(failure, |field| field.value);
    if let (true, Some(field), HookFailure::Abort) = (event, &table.on_failure, on_failure) {
        let error = ManifestError::new(field.at, "an `event` hook has nothing to abort: it is told what happened");
        cx.fault(error.hint("write `ignore`, or remove the key"));
    }
    let action = if let Some(command) = &table.command {
        HookAction::Command(cx.argv(&command.value))
    } else {
        let webhook = table.webhook.as_ref()?;
        if !event {
            let error = ManifestError::new(webhook.key, "`webhook` is for `event` only");
            cx.fault(error.hint("move it to `event`, or write `command = [\"curl\", ...]`"));
        }
        HookAction::Webhook(cx.url(&webhook.value, webhook.at))
    };
    let timeout = table.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.value.0);
    Some(Hook { action, timeout, on_failure, secret: table.secret.as_ref().and_then(|field| signed(table, field, cx)) })
}

/// What a webhook's requests are signed with.
fn signed(hook: &HookTable, field: &Field<Box<SecretTable>>, cx: &mut Build<'_>) -> Option<Secret> {
    if hook.webhook.is_none() {
        let error = ManifestError::new(field.key, "`secret` is for `webhook` only: requests are signed with it");
        cx.fault(error.hint("a command has the service's own secrets in its environment"));
    }
    if let Some(credential) = &field.value.credential {
        let error = ManifestError::new(credential.key, "a webhook's secret cannot be a credential");
        cx.fault(error.expected("expected `file`, `env` or `command`"));
        return None;
    }
    security::secret_at(&field.value, field.at, cx)
}
