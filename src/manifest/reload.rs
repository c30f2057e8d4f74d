//! `[service.NAME.reload]`: how a service is told to read its configuration again.

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::table;
use super::layers::Layers;
use super::source::Span;
use super::text::Url;
use crate::service::{Reload, ReloadAction, Signal};

table! {
    /// What `reload` does. One of signal, command, http.
    ReloadTable "reload" "[service.NAME.reload]" {
        /// A signal to the main process.
        signal: Signal = ReloadSignal in "reload",
        /// A command; `MAINPID` is in its environment.
        command: Argv = ReloadCommand in "reload",
        /// A POST request to this URL.
        http: Url = ReloadHttp in "reload",
        /// A command that must succeed first.
        check: Argv = ReloadCheck,
    }
}

impl ReloadTable {
    fn actions(&self) -> [(&'static str, Option<Span>); 3] {
        [
            ("signal", key_of(self.signal.as_ref())),
            ("command", key_of(self.command.as_ref())),
            ("http", key_of(self.http.as_ref())),
        ]
    }
}

/// The service's reload action; `at` is the table's place.
pub(crate) fn build(layers: Layers<'_, ReloadTable>, at: Span, cx: &mut Build<'_>) -> Option<Reload> {
    let broken = layers.iter().any(|table| table.broken);
    let chosen = layers.choice(|table| table.actions().iter().any(|(_, at)| at.is_some()));
    let actions = chosen.map_or_else(|| ReloadTable::default().actions(), ReloadTable::actions);
    if !cx.exactly_one("`reload`", at, broken, &actions) {
        return None;
    }
    let table = chosen?;
    let action = if let Some(signal) = &table.signal {
        ReloadAction::Signal(signal.value)
    } else if let Some(command) = &table.command {
        ReloadAction::Command(cx.argv(&command.value))
    } else {
        let http = table.http.as_ref()?;
        ReloadAction::Http(cx.url(&http.value, http.at))
    };
    Some(Reload { action, check: layers.get(|table| &table.check).map(|check| cx.argv(&check.value)) })
}
