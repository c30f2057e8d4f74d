//! `[service.NAME.schedule]`: when a task runs.

use std::time::Duration;

use super::build::{Build, key_of};
use super::decode::table;
use super::error::ManifestError;
use super::layers::Layers;
use super::source::Span;
use super::units::SomeTime;
use crate::service::{Calendar, Schedule, ScheduleWhen};

table! {
    /// When a task runs. One of every, calendar. A run that is due while the one before goes on is passed over.
    ScheduleTable "schedule" "[service.NAME.schedule]" {
        /// So long after the last start.
        every: SomeTime = ScheduleEvery in "schedule",
        /// At these times, such as "daily 02:30" or "mon..fri 09:00"; local time.
        calendar: Calendar = ScheduleCalendar in "schedule",
        /// Up to this much later, at random.
        jitter: Duration = ScheduleJitter,
        /// A run missed while the machine was off is made up for.
        persistent: bool = SchedulePersistent,
    }
}

impl ScheduleTable {
    fn rules(&self) -> [(&'static str, Option<Span>); 2] {
        [("every", key_of(self.every.as_ref())), ("calendar", key_of(self.calendar.as_ref()))]
    }
}

/// The task's schedule; `at` is the table's place.
pub(crate) fn build(layers: Layers<'_, ScheduleTable>, at: Span, cx: &mut Build<'_>) -> Option<Schedule> {
    let broken = layers.iter().any(|table| table.broken);
    let chosen = layers.choice(|table| table.rules().iter().any(|(_, at)| at.is_some()));
    let rules = chosen.map_or_else(|| ScheduleTable::default().rules(), ScheduleTable::rules);
    if !cx.exactly_one("`schedule`", at, broken, &rules) {
        return None;
    }
    let table = chosen?;
    let jitter = layers.get(|table| &table.jitter);
    let when = if let Some(every) = &table.every {
        if let Some(jitter) = jitter.filter(|jitter| jitter.value > every.value.0) {
            let error = ManifestError::new(jitter.at, "`schedule.jitter` is longer than `schedule.every`");
            cx.fault(error.related(every.at, "the interval").hint("a run must begin before the next one is due"));
        }
        ScheduleWhen::Every(every.value.0)
    } else {
        ScheduleWhen::Calendar(table.calendar.as_ref()?.value.clone())
    };
    let persistent = layers.get(|table| &table.persistent);
    if let (ScheduleWhen::Every(_), Some(persistent)) = (&when, persistent.filter(|persistent| persistent.value)) {
        let error = ManifestError::new(
            persistent.key,
            "`schedule.persistent` is about `calendar`: `every` misses no time of the clock",
        );
        cx.fault(error.hint("remove it, or write a `calendar` rule"));
    }
    Some(Schedule {
        when,
        jitter: jitter.map_or(Duration::ZERO, |jitter| jitter.value),
        persistent: persistent.is_some_and(|persistent| persistent.value),
    })
}
