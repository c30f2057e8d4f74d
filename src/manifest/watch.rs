//! `[service.NAME.watch]`: what happens when files change.

use std::time::Duration;

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::{table, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::source::Span;
use super::text::{PathText, Set};
use crate::service::{Watch, WatchAction};

const DEBOUNCE: Duration = Duration::from_millis(500);

table! {
    /// What happens when files change.
    WatchTable "watch" "[service.NAME.watch]" {
        /// Files and folders; `*`, `?` and `**` are patterns.
        paths: Set<PathText> = WatchPaths,
        /// reload, restart or command; restart unless given, command where there is one.
        action: Action = WatchAction,
        /// For action = "command".
        command: Argv = WatchCommand,
        /// Further changes within this time are the same change; 500ms unless given.
        debounce: Duration = WatchDebounce,
    }
}

/// The word in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Reload,
    Restart,
    Command,
}

words!(Action { Reload = "reload", Restart = "restart", Command = "command" });

/// What the service watches; `at` is the table's place.
pub(crate) fn build(layers: Layers<'_, WatchTable>, at: Span, reloads: bool, cx: &mut Build<'_>) -> Option<Watch> {
    let broken = layers.iter().any(|table| table.broken);
    let paths = layers.get(|table| &table.paths);
    let (action, command) = (layers.get(|table| &table.action), layers.get(|table| &table.command));
    if !cx.exactly_one("`watch`", at, broken, &[("paths", key_of(paths))]) {
        return None;
    }
    let paths = paths?;
    if paths.value.0.is_empty() {
        let error = ManifestError::new(paths.at, "`watch.paths` is empty: nothing could ever change");
        cx.fault(error.hint("name a file, or remove the table"));
    }
    let word = action.map_or(if command.is_some() { Action::Command } else { Action::Restart }, |action| action.value);
    let made = match (word, command) {
        (Action::Reload, None) => WatchAction::Reload,
        (Action::Restart, None) => WatchAction::Restart,
        (Action::Command, Some(command)) => WatchAction::Command(cx.argv(&command.value)),
        (Action::Command, None) => {
            let error = ManifestError::new(
                action.map_or(at, |action| action.at),
                "`watch.action` is `command` and there is none",
            );
            if !broken {
                cx.fault(error.hint("add `command = [\"...\"]`"));
            }
            return None;
        }
        (_, Some(command)) => {
            let error = ManifestError::new(command.key, "`watch.command` means nothing with this `watch.action`");
            let error = action.map(|action| error.clone().related(action.at, "the action")).unwrap_or(error);
            cx.fault(error.hint("remove one of the two"));
            return None;
        }
    };
    if made == WatchAction::Reload && !reloads && !cx.dry {
        let error = ManifestError::new(
            action.map_or(at, |action| action.at),
            "`watch.action` is `reload` and there is no `[...reload]`",
        );
        cx.fault(error.hint("add one, such as `reload = { signal = \"HUP\" }`, or write `restart`"));
    }
    Some(Watch {
        paths: paths.value.0.iter().map(|path| cx.path_text(&path.value.0, path.at)).collect(),
        action: made,
        debounce: layers.get(|table| &table.debounce).map_or(DEBOUNCE, |debounce| debounce.value),
    })
}
