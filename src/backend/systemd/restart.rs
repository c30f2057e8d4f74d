//! What happens when a service ends by itself, in systemd's words.

use super::answer::since;
use crate::backend::{Answer, Target};
use crate::service::{HealthAction, HealthCheck, Kind, Restart, RestartPolicy, Service};

/// How far the growth of a delay may be off before it counts as another one.
const TOLERANCE: f64 = 0.05;

/// How the delay between restarts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// It does not.
    Constant,
    /// `RestartSteps=`.
    Steps(u32),
    /// Not as systemd could.
    Unmet,
}

/// systemd grows from `RestartSec=` to `RestartMaxDelaySec=` in equal factors, so the steps follow from the factor.
pub(super) fn growth(restart: &Restart) -> Growth {
    if restart.factor <= 1.0 || restart.max_delay <= restart.delay || restart.delay.is_zero() {
        return Growth::Constant;
    }
    let ratio = restart.max_delay.as_secs_f64() / restart.delay.as_secs_f64();
    // As many factors as come nearest to the ratio: up to half a factor more or less.
    let (mut steps, mut reach) = (1, restart.factor * restart.factor.sqrt());
    while reach <= ratio && steps < 1000 {
        steps += 1;
        reach *= restart.factor;
    }
    let with = |factor: f64| factor.powi(steps);
    if ratio < with(restart.factor * (1.0 - TOLERANCE)) || ratio > with(restart.factor * (1.0 + TOLERANCE)) {
        return Growth::Unmet;
    }
    Growth::Steps(steps.unsigned_abs())
}

pub(super) fn growth_answer(service: Option<&Service>, target: &Target) -> Answer {
    let growth = service.map_or(Growth::Steps(1), |s| growth(&s.restart));
    match growth {
        Growth::Constant => Answer::Native("RestartSec=, the delay does not grow".into()),
        Growth::Steps(_) if !since(target, 254) => {
            Answer::Host("RestartSteps= and RestartMaxDelaySec= came with version 254".into())
        }
        Growth::Steps(_) => Answer::Native("RestartSteps= and RestartMaxDelaySec=".into()),
        Growth::Unmet => Answer::Host("RestartSteps= can't grow by this factor up to this delay".into()),
    }
}

/// The value of `Restart=`.
pub(super) fn policy(service: &Service) -> &'static str {
    let watchdog = service
        .health
        .as_ref()
        .is_some_and(|h| matches!(h.check, HealthCheck::Heartbeat) && h.action == HealthAction::Restart);
    match service.restart.policy {
        RestartPolicy::Always => "always",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::OnSuccess => "on-success",
        RestartPolicy::Never if watchdog => "on-watchdog",
        RestartPolicy::Never => "no",
    }
}

/// systemd takes four signals for a clean end; a manifest takes every signal for a failure.
const CLEAN_SIGNALS: &str = "SIGHUP SIGINT SIGTERM SIGPIPE";

/// The value of `RestartForceExitStatus=`.
pub(super) fn forced(service: &Service) -> Option<&'static str> {
    (service.kind == Kind::Service && service.restart.policy == RestartPolicy::OnFailure).then_some(CLEAN_SIGNALS)
}

/// The value of `RestartPreventExitStatus=`.
pub(super) fn prevented(service: &Service) -> Option<String> {
    let mut list = join(&service.restart.prevent_codes);
    if service.restart.policy == RestartPolicy::OnSuccess {
        if !list.is_empty() {
            list.push(' ');
        }
        list.push_str(CLEAN_SIGNALS);
    }
    (!list.is_empty()).then_some(list)
}

/// Codes with spaces between.
pub(super) fn join(codes: &[i32]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::systemd::sample::{service, target};

    #[test]
    fn steps_follow_from_the_factor() {
        let mut restart = service().restart;
        (restart.delay, restart.factor, restart.max_delay) = (Duration::from_secs(1), 2.0, Duration::from_secs(64));
        assert_eq!(growth(&restart), Growth::Steps(6));
        restart.max_delay = Duration::from_secs(60);
        assert_eq!(growth(&restart), Growth::Steps(6), "1.98 is 2 for our purpose");
        restart.max_delay = Duration::from_secs(3);
        assert_eq!(growth(&restart), Growth::Unmet);
        restart.factor = 1.0;
        assert_eq!(growth(&restart), Growth::Constant);
    }

    #[test]
    fn growth_needs_254() {
        let mut s = service();
        (s.restart.delay, s.restart.factor, s.restart.max_delay) =
            (Duration::from_secs(1), 2.0, Duration::from_secs(64));
        let mut t = target();
        t.version = Some(252);
        assert!(matches!(growth_answer(Some(&s), &t), Answer::Host(_)));
        t.version = Some(254);
        assert!(matches!(growth_answer(Some(&s), &t), Answer::Native(_)));
    }

    #[test]
    fn a_signal_is_a_failure() {
        let mut s = service();
        s.restart.policy = RestartPolicy::OnFailure;
        assert_eq!(forced(&s), Some("SIGHUP SIGINT SIGTERM SIGPIPE"));
        s.restart.policy = RestartPolicy::OnSuccess;
        s.restart.prevent_codes = vec![78];
        assert_eq!(prevented(&s).unwrap(), "78 SIGHUP SIGINT SIGTERM SIGPIPE");
    }
}
