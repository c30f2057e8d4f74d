//! `[service.NAME.ready]`: how it is known that a service is up.

use std::time::Duration;

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::table;
use super::layers::Layers;
use super::probe::{self, Http};
use super::source::Span;
use super::text::{Endpoint, PathText, Text, Yes};
use super::units::SomeTime;
use crate::manifest::error::ManifestError;
use crate::service::{Probe, Ready, ReadyWhen};

/// How long a service may take to get ready where nothing is said.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

table! {
    /// When `start` is done. One of notify, tcp, http, exec, log, file, delay.
    ReadyTable "ready" "[service.NAME.ready]" {
        /// The service says so itself: `sd_notify(READY=1)`.
        notify: Yes = ReadyNotify in "ready",
        /// `host:port` accepts connections.
        tcp: Endpoint = ReadyTcp in "ready",
        /// A URL answers.
        http: Http = ReadyHttp in "ready",
        /// A command succeeds.
        exec: Argv = ReadyExec in "ready",
        /// A line of its output contains this text.
        log: Text = ReadyLog in "ready",
        /// A file exists.
        file: PathText = ReadyFile in "ready",
        /// It has lived for so long.
        delay: SomeTime = ReadyDelay in "ready",
        /// Then the start fails; 60s unless given.
        timeout: SomeTime = ReadyTimeout,
    }
}

impl ReadyTable {
    fn signs(&self) -> [(&'static str, Option<Span>); 7] {
        let Self { notify, tcp, http, exec, log, file, delay, timeout: _, broken: _ } = self;
        [
            ("notify", key_of(notify.as_ref())),
            ("tcp", key_of(tcp.as_ref())),
            ("http", key_of(http.as_ref())),
            ("exec", key_of(exec.as_ref())),
            ("log", key_of(log.as_ref())),
            ("file", key_of(file.as_ref())),
            ("delay", key_of(delay.as_ref())),
        ]
    }
}

/// The service's readiness; `at` is the table's place.
pub(crate) fn build(layers: Layers<'_, ReadyTable>, at: Span, cx: &mut Build<'_>) -> Option<Ready> {
    let broken = layers.iter().any(|table| table.broken);
    let chosen = layers.choice(|table| table.signs().iter().any(|(_, at)| at.is_some()));
    let signs = chosen.map_or_else(|| ReadyTable::default().signs(), ReadyTable::signs);
    if !cx.exactly_one("`ready`", at, broken, &signs) {
        return None;
    }
    let table = chosen?;
    let when = if table.notify.is_some() {
        ReadyWhen::Notify
    } else if let Some(tcp) = &table.tcp {
        ReadyWhen::Probe(Probe::Tcp(cx.endpoint(&tcp.value.0, tcp.at)))
    } else if let Some(http) = &table.http {
        ReadyWhen::Probe(probe::http(&http.value, http.at, cx)?)
    } else if let Some(exec) = &table.exec {
        ReadyWhen::Probe(Probe::Exec(cx.argv(&exec.value)))
    } else if let Some(log) = &table.log {
        if log.value.0.is_empty() || log.value.0.contains('\n') {
            let error = ManifestError::new(log.at, "`log` must be a part of one line");
            cx.fault(error.expected("expected a text such as \"listening on\""));
        }
        ReadyWhen::Log(cx.text(log))
    } else if let Some(file) = &table.file {
        ReadyWhen::Probe(Probe::File(cx.path(&file.value, file.at)))
    } else {
        ReadyWhen::Delay(table.delay.as_ref()?.value.0)
    };
    let timeout = layers.get(|table| &table.timeout);
    if let (ReadyWhen::Delay(delay), Some(timeout), Some(key)) = (&when, timeout, &table.delay)
        && timeout.value.0 <= *delay
    {
        let error =
            ManifestError::new(timeout.at, "`ready.timeout` is over before `ready.delay`: it could never start");
        cx.fault(error.related(key.at, "the delay").hint("leave the timeout out, or make it longer than the delay"));
    }
    let least = if let ReadyWhen::Delay(delay) = when { TIMEOUT.max(delay * 2) } else { TIMEOUT };
    Some(Ready { when, timeout: timeout.map_or(least, |timeout| timeout.value.0) })
}
