//! What the machine must know of a service.

use std::time::Duration;

use crate::service::{HealthAction, Kind, Restart, Service};

use super::Stage;

/// What the machine must know of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Service, oneshot or task.
    pub kind: Kind,
    /// When and how soon it is started again.
    pub restart: Restart,
    /// It must become ready within this time; None: it is, as soon as it runs.
    pub ready: Option<Duration>,
    /// What an unhealthy one gets.
    pub health: HealthAction,
    /// It waits for others.
    pub depends: bool,
    /// It has conditions to wait for.
    pub conditions: bool,
    /// Which hooks it has.
    pub hooks: Vec<Stage>,
    /// It has a stop command.
    pub stop_command: bool,
    /// From asking it to end to killing it; each rung has this time.
    pub stop_timeout: Duration,
}

impl Policy {
    /// The policy of a service.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        let hooks = &service.hooks;
        Self {
            kind: service.kind,
            restart: service.restart.clone(),
            ready: service.ready.as_ref().map(|ready| ready.timeout),
            health: service.health.as_ref().map_or(HealthAction::Event, |health| health.action),
            depends: !(service.after.is_empty() && service.requires.is_empty() && service.wants.is_empty()),
            conditions: !service.wait_for.is_empty(),
            hooks: [
                (Stage::PreStart, &hooks.pre_start),
                (Stage::PostStart, &hooks.post_start),
                (Stage::PreStop, &hooks.pre_stop),
                (Stage::PostStop, &hooks.post_stop),
            ]
            .into_iter()
            .filter_map(|(stage, list)| (!list.is_empty()).then_some(stage))
            .collect(),
            stop_command: service.stop.command.is_some(),
            stop_timeout: service.stop.timeout,
        }
    }

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.hooks.contains(&stage)
    }

    /// The delay before the next start when `attempts` were made in a row; `roll` is from 0 to 1.
    #[must_use]
    pub fn delay(&self, attempts: u32, roll: f64) -> Duration {
        let grown = self.restart.factor.max(1.0).powi(i32::try_from(attempts.min(1000)).unwrap_or(1000));
        let base = self.restart.delay.as_secs_f64() * grown;
        let capped = base.min(self.restart.max_delay.max(self.restart.delay).as_secs_f64());
        Duration::try_from_secs_f64(capped * (1.0 + self.restart.jitter * roll)).unwrap_or(self.restart.max_delay)
    }
}
