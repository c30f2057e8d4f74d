//! The host's words for times and ends. Pure.

use std::time::Duration;

use super::machine::Ended;
use crate::events::{Measure, Measured};

/// `1m 30s`, `500ms`.
#[must_use]
pub fn duration(time: Duration) -> String {
    let mut rest = time.as_millis();
    let mut parts = Vec::new();
    for (size, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")] {
        if rest >= size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// How a run ended: `exited with code 3`, `was killed by SIGKILL`, or why it was made to end.
#[must_use]
pub fn ended(last: Option<&Ended>, blame: Option<&str>) -> String {
    if let Some(blame) = blame {
        return blame.to_owned();
    }
    match last {
        None => "has not ended yet".to_owned(),
        Some(Ended::Code(code)) => format!("exited with code {code}"),
        Some(Ended::Signal(signal)) => format!("was killed by SIG{}", signal_name(*signal)),
        Some(Ended::Unseen) => "ended while no supervisor ran, with an exit code that nobody saw".to_owned(),
        Some(Ended::Never(why)) => format!("could not be started: {why}"),
    }
}

/// A threshold that was crossed: `memory is 412.0 MiB, over 400.0 MiB`.
#[must_use]
pub fn crossed(over: bool, measured: &Measured) -> String {
    let show = |value: f64| match measured.measure {
        Measure::Memory => format!("{:.1} MiB", value / (1024.0 * 1024.0)),
        Measure::Cpu => format!("{value:.2} cores"),
        Measure::Restarts => format!("{value} in an hour"),
    };
    let verb = if measured.measure == Measure::Restarts { "were" } else { "is" };
    let word = if over { "over" } else { "under" };
    let (value, threshold) = (show(measured.value), show(measured.threshold));
    format!("{} {verb} {value}, {word} {threshold}", measured.measure.name())
}

/// The name of a signal without `SIG`; its number where it has none.
#[must_use]
pub fn signal_name(number: i32) -> String {
    super::sys::signal_name(number).unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_the_manifest() {
        assert_eq!(duration(Duration::from_millis(90_500)), "1m 30s 500ms");
        assert_eq!(duration(Duration::from_secs(300)), "5m");
        assert_eq!(duration(Duration::ZERO), "0s");
    }

    #[test]
    fn a_crossing_has_its_unit() {
        let measured = |measure, value, threshold| Measured { measure, value, threshold };
        let memory = measured(Measure::Memory, 432_013_312.0, 419_430_400.0);
        assert_eq!(crossed(true, &memory), "memory is 412.0 MiB, over 400.0 MiB");
        let restarts = measured(Measure::Restarts, 6.0, 5.0);
        assert_eq!(crossed(true, &restarts), "restarts were 6 in an hour, over 5 in an hour");
        assert_eq!(crossed(false, &measured(Measure::Cpu, 0.25, 0.9)), "cpu is 0.25 cores, under 0.90 cores");
    }

    #[test]
    fn an_end_that_was_forced_names_its_cause() {
        assert_eq!(ended(Some(&Ended::Code(0)), Some("was unhealthy")), "was unhealthy");
        #[cfg(unix)]
        assert_eq!(ended(Some(&Ended::Signal(9)), None), "was killed by SIGKILL");
    }
}
