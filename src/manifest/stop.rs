//! `[service.NAME.stop]`: how a service is asked to end.

use std::time::Duration;

use super::argv::Argv;
use super::build::Build;
use super::decode::{Decoder, Defs, Raw, Value, table, word, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::units::SomeTime;
use crate::service::{KillScope, Signal, Stop, StopSignal};

const TIMEOUT: Duration = Duration::from_secs(30);

table! {
    /// How it is asked to end: the command, then the signal, then it is killed.
    StopTable "stop" "[service.NAME.stop]" {
        /// Run first; the signal follows when it still runs after it.
        command: Argv = StopCommand,
        /// A signal such as TERM; on Windows ctrl-c, ctrl-break or close. TERM unless given, on Windows ctrl-c.
        signal: StopSignal = StopSignal,
        /// Then it is killed; 30s unless given.
        timeout: SomeTime = StopTimeout,
        /// Who is killed then: every process that came of it, its group, or the main process only.
        kill: KillScope = StopKill,
    }
}

words!(KillScope { Tree = "tree", Group = "group", Main = "main" });

const SIGNALS: [&str; 14] = [
    "TERM",
    "INT",
    "QUIT",
    "HUP",
    "KILL",
    "USR1",
    "USR2",
    "WINCH",
    "ABRT",
    "ALRM",
    "CONT",
    "ctrl-c",
    "ctrl-break",
    "close",
];

impl Value for StopSignal {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        Some(match word(raw, cx, &SIGNALS)? {
            "ctrl-c" => Self::CtrlC,
            "ctrl-break" => Self::CtrlBreak,
            "close" => Self::Close,
            name => Self::Signal(signal(name)?),
        })
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        serde_json::json!({ "enum": SIGNALS })
    }
}

impl Value for Signal {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        signal(word(raw, cx, &SIGNALS[..11])?)
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        serde_json::json!({ "enum": SIGNALS[..11] })
    }
}

fn signal(name: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| signal.name() == name)
}

/// How the service is stopped.
pub(crate) fn build(layers: Option<Layers<'_, StopTable>>, cx: &mut Build<'_>) -> Stop {
    let polite = if cx.windows { StopSignal::CtrlC } else { StopSignal::Signal(Signal::Term) };
    let mut stop = Stop { command: None, signal: polite, timeout: TIMEOUT, kill: KillScope::Tree };
    let Some(layers) = layers else { return stop };
    stop.command = layers.get(|table| &table.command).map(|command| cx.argv(&command.value));
    if let Some(kill) = layers.get(|table| &table.kill) {
        stop.kill = kill.value;
    }
    if let Some(timeout) = layers.get(|table| &table.timeout) {
        stop.timeout = timeout.value.0;
    }
    if let Some(signal) = layers.get(|table| &table.signal) {
        stop.signal = signal.value;
        let kills = signal.value == StopSignal::Signal(Signal::Kill);
        let same_table = layers.choice(|table| table.signal.is_some()).and_then(|table| table.timeout.as_ref());
        if let (true, Some(timeout), None) = (kills, same_table, &stop.command) {
            let error = ManifestError::new(
                timeout.key,
                "`stop.timeout` means nothing with the signal `KILL`: nobody can put it off",
            );
            cx.fault(error.related(signal.at, "the signal").hint("remove one of the two"));
        }
        if signal.value == StopSignal::Signal(Signal::Cont) {
            let error = ManifestError::new(signal.at, "`CONT` asks nobody to end");
            cx.fault(error.expected("expected a signal that ends the service").hint("write `TERM`"));
        }
    }
    stop
}
