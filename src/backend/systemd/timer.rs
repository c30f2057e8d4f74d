//! Schedules as timers.

use std::time::Duration;

use crate::quote::systemd::Span;
use crate::service::{Calendar, Kind, Schedule, ScheduleWhen, Service};

/// A delayed service starts so long after its manager, as Windows' delayed services do.
const DELAY: Duration = Duration::from_secs(120);

/// The lines of `[Timer]`.
pub(super) fn lines(service: &Service) -> Vec<String> {
    match &service.schedule {
        Some(schedule) if service.kind == Kind::Task => scheduled(schedule),
        _ => vec![format!("OnStartupSec={}", Span(DELAY)), "AccuracySec=1s".to_owned()],
    }
}

fn scheduled(schedule: &Schedule) -> Vec<String> {
    let mut lines = Vec::new();
    match &schedule.when {
        ScheduleWhen::Every(every) => {
            // The first run comes one period after the timer was started, each further one a period after the last.
            lines.push(format!("OnActiveSec={}", Span(*every)));
            lines.push(format!("OnUnitActiveSec={}", Span(*every)));
            // systemd bundles wake-ups within a minute unless told otherwise.
            lines.push(format!("AccuracySec={}", if every.as_secs() < 60 { "1ms" } else { "1s" }));
        }
        ScheduleWhen::Calendar(calendar) => {
            lines.push(format!("OnCalendar={}", expression(calendar)));
            lines.push("AccuracySec=1s".to_owned());
            if schedule.persistent {
                lines.push("Persistent=yes".to_owned());
            }
        }
    }
    if !schedule.jitter.is_zero() {
        lines.push(format!("RandomizedDelaySec={}", Span(schedule.jitter)));
    }
    lines
}

/// A calendar as systemd.time(7) writes it: `Mon,Fri *-*-01,15 02:30:00`.
fn expression(calendar: &Calendar) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let list = |values: &[u8]| {
        if values.is_empty() {
            "*".to_owned()
        } else {
            values.iter().map(|value| format!("{value:02}")).collect::<Vec<_>>().join(",")
        }
    };
    let weekdays: Vec<&str> =
        calendar.weekdays.iter().filter_map(|day| DAYS.get(usize::from(*day).checked_sub(1)?)).copied().collect();
    let mut text = weekdays.join(",");
    if !text.is_empty() {
        text.push(' ');
    }
    text + &format!(
        "*-{}-{} {}:{}:00",
        list(&calendar.months),
        list(&calendar.days),
        list(&calendar.hours),
        list(&calendar.minutes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars() {
        assert_eq!(expression(&Calendar::default()), "*-*-* *:*:00");
        let calendar =
            Calendar { weekdays: vec![1, 5], days: vec![1, 15], hours: vec![2], minutes: vec![30], months: vec![] };
        assert_eq!(expression(&calendar), "Mon,Fri *-*-01,15 02:30:00");
    }

    #[test]
    fn every_counts_from_the_last_start() {
        let schedule = Schedule {
            when: ScheduleWhen::Every(Duration::from_secs(900)),
            jitter: Duration::from_secs(30),
            persistent: false,
        };
        assert_eq!(
            scheduled(&schedule),
            ["OnActiveSec=900s", "OnUnitActiveSec=900s", "AccuracySec=1s", "RandomizedDelaySec=30s"]
        );
    }
}
