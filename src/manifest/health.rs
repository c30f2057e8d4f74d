//! `[service.NAME.health]`: how it is known that a service is still well.

use std::time::Duration;

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::{table, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::probe::{self, Http};
use super::source::Span;
use super::text::{Count, Endpoint, Yes};
use super::units::SomeTime;
use crate::service::{Health, HealthAction, HealthCheck, Probe};

const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(3);
const FAILURES: u32 = 3;
const SUCCESSES: u32 = 1;

table! {
    /// Liveness: what is asked while it runs. One of tcp, http, exec, heartbeat.
    HealthTable "health" "[service.NAME.health]" {
        /// `host:port` accepts connections.
        tcp: Endpoint = HealthTcp in "health",
        /// A URL answers.
        http: Http = HealthHttp in "health",
        /// A command succeeds.
        exec: Argv = HealthExec in "health",
        /// The service says `sd_notify(WATCHDOG=1)` at least every interval.
        heartbeat: Yes = HealthHeartbeat in "health",
        /// Time between two checks; 10s unless given.
        interval: SomeTime = HealthInterval,
        /// An answer that takes longer is a failure; 3s unless given, at most the interval.
        timeout: SomeTime = HealthTimeout,
        /// Failures in a row that make it unhealthy; 3 unless given.
        failures: Count = HealthFailures,
        /// Successes in a row that make it healthy again; 1 unless given.
        successes: Count = HealthSuccesses,
        /// Failures within this time of its start do not count.
        start_period: Duration = HealthStartPeriod,
        /// What an unhealthy service gets: restart unless given.
        action: HealthAction = HealthAction,
    }
}

words!(HealthAction { Restart = "restart", Stop = "stop", Event = "event" });

impl HealthTable {
    fn checks(&self) -> [(&'static str, Option<Span>); 4] {
        [
            ("tcp", key_of(self.tcp.as_ref())),
            ("http", key_of(self.http.as_ref())),
            ("exec", key_of(self.exec.as_ref())),
            ("heartbeat", key_of(self.heartbeat.as_ref())),
        ]
    }
}

/// The service's liveness check; `at` is the table's place.
pub(crate) fn build(layers: Layers<'_, HealthTable>, at: Span, cx: &mut Build<'_>) -> Option<Health> {
    let broken = layers.iter().any(|table| table.broken);
    let chosen = layers.choice(|table| table.checks().iter().any(|(_, at)| at.is_some()));
    let checks = chosen.map_or_else(|| HealthTable::default().checks(), HealthTable::checks);
    if !cx.exactly_one("`health`", at, broken, &checks) {
        return None;
    }
    let table = chosen?;
    let check = if let Some(tcp) = &table.tcp {
        HealthCheck::Probe(Probe::Tcp(cx.endpoint(&tcp.value.0, tcp.at)))
    } else if let Some(http) = &table.http {
        HealthCheck::Probe(probe::http(&http.value, http.at, cx)?)
    } else if let Some(exec) = &table.exec {
        HealthCheck::Probe(Probe::Exec(cx.argv(&exec.value)))
    } else {
        HealthCheck::Heartbeat
    };
    let given = layers.get(|table| &table.timeout);
    let interval = layers.get(|table| &table.interval).map_or(INTERVAL, |interval| interval.value.0);
    if let Some(timeout) = given {
        if check == HealthCheck::Heartbeat {
            let error =
                ManifestError::new(timeout.key, "`health.timeout` means nothing with `heartbeat`: nobody is asked");
            cx.fault(error.hint("remove it; `interval` is the longest silence"));
        } else if timeout.value.0 > interval {
            let error = ManifestError::new(timeout.at, "`health.timeout` is longer than `health.interval`");
            let error = match layers.get(|table| &table.interval) {
                Some(interval) => error.related(interval.at, "the interval"),
                None => error.expected("the interval is 10s unless given"),
            };
            cx.fault(error.hint("a check must be over before the next one begins"));
        }
    }
    Some(Health {
        check,
        interval,
        timeout: given.map_or(TIMEOUT, |timeout| timeout.value.0).min(interval),
        failures: layers.get(|table| &table.failures).map_or(FAILURES, |failures| failures.value.count()),
        successes: layers.get(|table| &table.successes).map_or(SUCCESSES, |successes| successes.value.count()),
        start_period: layers.get(|table| &table.start_period).map_or(Duration::ZERO, |period| period.value),
        action: layers.get(|table| &table.action).map_or(HealthAction::Restart, |action| action.value),
    })
}
