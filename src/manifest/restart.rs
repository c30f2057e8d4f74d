//! `[service.NAME.restart]`: what happens when a service ends by itself.

use std::time::Duration;

use super::build::{Build, key_of};
use super::decode::{Field, table, words};
use super::error::ManifestError;
use super::layers::Layers;
use super::text::{Count, Number, Set};
use super::units::{SomeTime, show_duration};
use crate::service::{Kind, Restart, RestartLimit, RestartPolicy};

const DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(60);
const RESET_AFTER: Duration = Duration::from_secs(600);

/// Exit codes of every operating system.
type Code = Number<-2_147_483_648, 2_147_483_647>;

table! {
    /// What happens when it ends by itself.
    RestartTable "restart" "[service.NAME.restart]" {
        /// Whether at all; on-failure unless given, never for a oneshot or task.
        policy: RestartPolicy = RestartPolicy,
        /// Before the first restart; 1s unless given.
        delay: Duration = RestartDelay,
        /// Each further delay in a row is this many times the last; 1 unless given.
        factor: f64 = RestartFactor,
        /// No delay is longer; 1m unless given.
        max_delay: Duration = RestartMaxDelay,
        /// Up to this part of the delay is added at random, 0 to 1; 0 unless given.
        jitter: f64 = RestartJitter,
        /// More restarts than this, and it has given up; no limit unless given.
        limit: Box<LimitTable> = RestartLimit,
        /// A run this long makes the next delay the first again; 10m unless given.
        reset_after: SomeTime = RestartResetAfter,
        /// Exit codes that mean success, beside 0.
        success_codes: Set<Code> = RestartSuccessCodes,
        /// Exit codes after which it is never started again.
        prevent_codes: Set<Code> = RestartPreventCodes,
    }
}

table! {
    /// At most `count` restarts `within` a time.
    LimitTable "restart_limit" "`restart.limit`" {
        /// So many restarts.
        count: Count,
        /// Within this time.
        within: SomeTime,
    }
}

words!(RestartPolicy { Always = "always", OnFailure = "on-failure", OnSuccess = "on-success", Never = "never" });

/// The policy that nothing was said about.
pub(crate) fn default(kind: Kind) -> Restart {
    Restart {
        policy: if kind == Kind::Service { RestartPolicy::OnFailure } else { RestartPolicy::Never },
        delay: DELAY,
        factor: 1.0,
        max_delay: MAX_DELAY,
        jitter: 0.0,
        limit: None,
        reset_after: RESET_AFTER,
        success_codes: Vec::new(),
        prevent_codes: Vec::new(),
    }
}

/// The service's restart policy.
pub(crate) fn build(layers: Option<Layers<'_, RestartTable>>, kind: Kind, cx: &mut Build<'_>) -> Restart {
    let mut restart = default(kind);
    let Some(layers) = layers else { return restart };
    let codes = |field: Option<&Field<Set<Code>>>| -> Vec<i32> {
        field.iter().flat_map(|field| &field.value.0).filter_map(|code| i32::try_from(code.value.0).ok()).collect()
    };
    restart.success_codes = codes(layers.get(|table| &table.success_codes));
    restart.prevent_codes = codes(layers.get(|table| &table.prevent_codes));
    if let Some(policy) = layers.get(|table| &table.policy) {
        restart.policy = policy.value;
    }
    if let Some(reset_after) = layers.get(|table| &table.reset_after) {
        restart.reset_after = reset_after.value.0;
    }
    delays(layers, &mut restart, cx);
    limit(layers, &mut restart, cx);
    restart
}

fn delays(layers: Layers<'_, RestartTable>, restart: &mut Restart, cx: &mut Build<'_>) {
    let delay = layers.get(|table| &table.delay);
    if let Some(delay) = delay {
        restart.delay = delay.value;
    }
    restart.max_delay = MAX_DELAY.max(restart.delay);
    if let Some(max) = layers.get(|table| &table.max_delay) {
        restart.max_delay = max.value;
        if max.value < restart.delay {
            let error = ManifestError::new(max.at, "`restart.max_delay` is shorter than `restart.delay`");
            let error = match delay {
                Some(delay) => error.related(delay.at, "the first delay"),
                None => error.expected("the first delay is 1s unless given"),
            };
            cx.fault(error.hint("the longest delay is at least as long as the first"));
        }
    }
    if let Some(factor) = layers.get(|table| &table.factor) {
        restart.factor = factor.value;
        if !(1.0..=1000.0).contains(&factor.value) {
            let error = ManifestError::new(factor.at, format!("`restart.factor` cannot be {}", factor.value));
            cx.fault(error.expected("expected a number from 1 to 1000").hint("delays grow or stay: 2.0 doubles each"));
        } else if factor.value > 1.0 && restart.delay.is_zero() {
            let error = ManifestError::new(factor.at, "`restart.factor` cannot make a delay of nothing grow");
            let error = delay.map(|delay| error.clone().related(delay.at, "the first delay")).unwrap_or(error);
            cx.fault(error.hint("give a delay such as \"1s\", or remove the factor"));
        }
    }
    if let Some(jitter) = layers.get(|table| &table.jitter) {
        restart.jitter = jitter.value;
        if !(0.0..=1.0).contains(&jitter.value) {
            let error = ManifestError::new(jitter.at, format!("`restart.jitter` cannot be {}", jitter.value));
            cx.fault(error.expected("expected a number from 0 to 1: the part of the delay that is added at random"));
        }
    }
}

fn limit(layers: Layers<'_, RestartTable>, restart: &mut Restart, cx: &mut Build<'_>) {
    let Some(limit) = layers.get(|table| &table.limit) else {
        return;
    };
    let LimitTable { count, within, broken } = &*limit.value;
    let has_count = cx.exactly_one("`restart.limit`", limit.at, *broken, &[("count", key_of(count.as_ref()))]);
    let has_time = cx.exactly_one("`restart.limit`", limit.at, *broken, &[("within", key_of(within.as_ref()))]);
    let (true, true, Some(count), Some(within)) = (has_count, has_time, count, within) else {
        return;
    };
    let made = RestartLimit { count: count.value.count(), within: within.value.0 };
    restart.limit = Some(made);
    let least = time_of(made.count, made.within, restart);
    if least >= made.within && restart.factor >= 1.0 && restart.policy != RestartPolicy::Never {
        let delays = if restart.factor > 1.0 { "growing delays" } else { "delays" };
        let message = format!(
            "this limit can never trip: {} restarts with {delays} from {} take {} or more, which is not within {}",
            made.count,
            show_duration(restart.delay),
            show_duration(least),
            show_duration(made.within),
        );
        let error = ManifestError::new(limit.at, message);
        let error = match layers.get(|table| &table.delay) {
            Some(delay) => error.related(delay.at, "the first delay"),
            None => error.expected("the first delay is 1s unless given"),
        };
        cx.fault(error.hint("allow a longer time, fewer restarts, or a shorter delay"));
    }
}

/// The least time that `count` restarts take, counted no further than `enough`.
fn time_of(count: u32, enough: Duration, restart: &Restart) -> Duration {
    let (mut total, mut delay) = (Duration::ZERO, restart.delay);
    for left in (1..=count).rev() {
        // Once it does not grow any more (or grows too slowly to be counted one by one) the rest is one product.
        if delay >= restart.max_delay || restart.factor <= 1.0 || count - left > 1000 || total >= enough {
            return total.saturating_add(delay.saturating_mul(left));
        }
        total = total.saturating_add(delay);
        let next = Duration::try_from_secs_f64(delay.as_secs_f64() * restart.factor);
        delay = next.unwrap_or(restart.max_delay).min(restart.max_delay);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_take_their_time() {
        let restart = |delay, factor, max| Restart {
            delay: Duration::from_secs(delay),
            factor,
            max_delay: Duration::from_secs(max),
            ..default(Kind::Service)
        };
        let time = |count, restart| time_of(count, Duration::from_secs(1 << 30), &restart).as_secs();
        assert_eq!(time(5, restart(1, 1.0, 60)), 5);
        assert_eq!(time(5, restart(0, 1.0, 60)), 0);
        assert_eq!(time(5, restart(1, 2.0, 60)), 1 + 2 + 4 + 8 + 16);
        assert_eq!(time(5, restart(1, 2.0, 4)), 1 + 2 + 4 + 4 + 4);
        assert!(time(u32::MAX, restart(1, 1.000_000_1, 60)) > 1 << 30, "and it does not take that long to tell");
    }
}
