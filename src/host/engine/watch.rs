//! Looking for a run's readiness and health.

use std::rc::Rc;
use std::time::Duration;

use super::command::Setting;
use super::probe;
use super::pump::Teller;
use super::{Engine, Id, Seen};
use crate::host::machine::Event;
use crate::host::sys::{self, Identity};
use crate::host::words;
use crate::service::{Health, HealthCheck, Probe, ReadyWhen};

/// The first pause between two tries of a readiness probe, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// One try of a readiness probe may take so long.
const TRY: Duration = Duration::from_secs(5);

impl Engine {
    pub(super) fn watch_ready(&mut self, id: &Id) {
        let Some(setting) = self.setting(id) else { return };
        let teller = self.teller(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(ready) = unit.service.ready.clone() else { return };
        let (what, probe) = match ready.when {
            ReadyWhen::Notify => return unit.waiting = Some("waits for READY=1 by sd_notify".to_owned()),
            ReadyWhen::Log(text) => {
                for pipe in &unit.pipes {
                    pipe.look_for(&text, id, &self.tx);
                }
                return unit.waiting = Some(format!("waits for `{text}` in its output"));
            }
            ReadyWhen::Delay(time) => {
                unit.waiting = Some(format!("waits for {}", words::duration(time)));
                let task = tokio::task::spawn_local(async move {
                    tokio::time::sleep(time).await;
                    teller.tell(Seen::Ready);
                });
                return unit.watchers.push(task.abort_handle());
            }
            ReadyWhen::Probe(probe) => (probe::words_for(&probe), probe),
        };
        unit.waiting = Some(format!("waits for {what}"));
        let commands = self.commands.clone();
        let task = tokio::task::spawn_local(async move {
            until_well(&probe, &commands, &setting, |message| {
                teller.tell(Seen::Check { name: "ready", ok: false, message: Some(message) });
            })
            .await;
            teller.tell(Seen::Check { name: "ready", ok: true, message: None });
            teller.tell(Seen::Ready);
        });
        unit.watchers.push(task.abort_handle());
    }

    pub(super) fn watch_health(&mut self, id: &Id) {
        let Some(setting) = self.setting(id) else { return };
        let teller = self.teller(id);
        let commands = self.commands.clone();
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(health) = unit.service.health.clone() else { return };
        let ran = unit.state.started.map_or(Duration::ZERO, |at| sys::monotonic().saturating_sub(at));
        let grace = health.start_period.saturating_sub(ran);
        let beat = Rc::clone(unit.beat.get_or_insert_default());
        let task = tokio::task::spawn_local(async move {
            match &health.check {
                HealthCheck::Heartbeat => heartbeat(&health, grace, &beat, &teller).await,
                HealthCheck::Probe(probe) => {
                    let ask = || probe::ask(probe, health.timeout, &commands, &setting);
                    check(&health, grace, ask, &teller).await;
                }
            }
        });
        unit.watchers.push(task.abort_handle());
    }

    /// Looks at a clearing unit again when one of these processes, which are not our children, has gone.
    pub(super) fn recheck_after(&self, id: &Id, pids: &[i32]) {
        for who in pids.iter().filter_map(|pid| sys::identify(*pid)) {
            let (id, tx) = (Rc::clone(id), self.tx.clone());
            tokio::task::spawn_local(async move {
                sys::until_gone(who).await;
                let _ = tx.send(super::Input::Recheck(id));
            });
        }
    }

    pub(super) fn seen(&mut self, id: &Id, seen: Seen) {
        match seen {
            Seen::Ready => self.queue.push_back((Rc::clone(id), Event::Ready)),
            Seen::Notify(message) => self.notified(id, &message),
            Seen::Loaded => {
                if let Some(unit) = self.units.get_mut(id) {
                    unit.loaded = true;
                }
                self.tell_above(id);
                // No event for the machine: but who waits for the start is to hear of it.
                self.touch(id);
                self.advance_jobs();
            }
            Seen::StillThere => self.ask_otherwise(id),
            Seen::FarExit => self.main_ended(id, crate::host::machine::Ended::Unseen),
            Seen::Unhealthy(why) => self.queue.push_back((Rc::clone(id), Event::Unhealthy(why))),
            Seen::Check { name, ok, message } => {
                let Some(unit) = self.units.get_mut(id) else { return };
                let what = match (name, &unit.service.ready, unit.service.health.as_deref()) {
                    ("ready", Some(ready), _) => match &ready.when {
                        ReadyWhen::Probe(probe) => probe::words_for(probe),
                        _ => String::new(),
                    },
                    ("health", _, Some(Health { check: HealthCheck::Probe(probe), .. })) => probe::words_for(probe),
                    ("health", ..) => "heartbeat".to_owned(),
                    _ => String::new(),
                };
                let before = unit.healthy;
                if name == "health" {
                    unit.healthy = Some(ok);
                }
                let why = message.clone();
                unit.set_check(name, what, ok, message);
                self.dirty = true;
                if name == "health" && before.unwrap_or(true) != ok {
                    self.tell_health(id, ok, why);
                }
            }
        }
    }
}

/// Watches a process that is not our child.
pub(super) fn watch_far(who: Identity, teller: Teller) {
    tokio::task::spawn_local(async move {
        sys::until_gone(who).await;
        teller.tell(Seen::FarExit);
    });
}

/// Asks until the answer is good.
pub(super) async fn until_well(
    probe: &Probe,
    commands: &super::command::Commands,
    setting: &Setting,
    mut failed: impl FnMut(String),
) {
    let mut pause = PAUSE.0;
    let mut last = String::new();
    while let Err(message) = probe::ask(probe, TRY, commands, setting).await {
        if message != last {
            failed(message.clone());
            last = message;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

async fn check<F: Future<Output = Result<(), String>>>(
    health: &Health,
    grace: Duration,
    ask: impl Fn() -> F,
    teller: &Teller,
) {
    let began = tokio::time::Instant::now();
    let (mut bad, mut good) = (0, 0);
    let mut healthy = true;
    loop {
        tokio::time::sleep(health.interval).await;
        match ask().await {
            Ok(()) => {
                (bad, good) = (0, good + 1);
                if healthy || good >= health.successes {
                    healthy = true;
                    teller.tell(Seen::Check { name: "health", ok: true, message: None });
                }
            }
            Err(_) if began.elapsed() < grace => {}
            Err(message) => {
                (bad, good) = (bad + 1, 0);
                let failed = bad >= health.failures;
                healthy &= !failed;
                teller.tell(Seen::Check { name: "health", ok: healthy, message: Some(message.clone()) });
                if failed {
                    teller.tell(Seen::Unhealthy(format!("was unhealthy: {message}")));
                    bad = 0;
                }
            }
        }
    }
}

async fn heartbeat(health: &Health, grace: Duration, beat: &tokio::sync::Notify, teller: &Teller) {
    let mut bad = 0;
    let mut patience = health.interval + grace;
    loop {
        if tokio::time::timeout(patience, beat.notified()).await.is_ok() {
            bad = 0;
            teller.tell(Seen::Check { name: "health", ok: true, message: None });
        } else {
            bad += 1;
            let message = format!("no heartbeat within {}", words::duration(patience));
            teller.tell(Seen::Check { name: "health", ok: bad < health.failures, message: Some(message.clone()) });
            if bad >= health.failures {
                teller.tell(Seen::Unhealthy(format!("was unhealthy: {message}")));
                bad = 0;
            }
        }
        patience = health.interval;
    }
}
