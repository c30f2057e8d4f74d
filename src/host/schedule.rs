//! When a task runs next. Pure.
//!
//! Calendar times are times of the local wall clock, and what a change to or from daylight saving time does to them is
//! what people mean: a time that names its hour comes once a day, later by the gap where the clock jumps over it, at
//! its first occurrence where the clock shows it twice; a time of every hour follows the real hours, so nothing comes twice
//! in a gap and nothing is left out when an hour is had again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::service::{Calendar, Schedule, ScheduleWhen};

/// No rule of a calendar leaves out more days: the 29th of February on one day of the week comes every 28 years, or
/// after 40 across a century without it.
const DAYS: u32 = 366 * 41;

/// What is known of a task's runs; kept by the supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Since when its schedule counts.
    pub since: Option<Timestamp>,
    /// When it was started last.
    pub last: Option<Timestamp>,
    /// When it is due.
    pub next: Option<Timestamp>,
    /// A run that did not happen, in words.
    #[serde(default)]
    pub skipped: Option<String>,
}

/// Where the host of one service keeps when it ran.
#[must_use]
pub fn runs_in_folder(runtime: &Path) -> PathBuf {
    runtime.join("runs.json")
}

/// When the task is due after `now`; `roll`, from 0 to 1, says how much of the jitter is added. None: never.
///
/// A time that has passed already is one that is to be made up for: the task is due at once.
#[must_use]
pub fn next(schedule: &Schedule, runs: &Runs, now: Timestamp, zone: &TimeZone, roll: f64) -> Option<Timestamp> {
    let nominal = match &schedule.when {
        ScheduleWhen::Every(every) => {
            // A clock that was set back leaves times ahead that have been.
            let base = runs.last.max(runs.since).map_or(now, |base| base.min(now));
            add(base, *every)?
        }
        ScheduleWhen::Calendar(calendar) => {
            let counted = if schedule.persistent { runs.last.max(runs.since) } else { None };
            // A clock that was set back leaves times ahead that have been counted.
            let base = counted.map_or(now, |counted| counted.min(now));
            after(calendar, base, zone)?
        }
    };
    add(nominal, schedule.jitter.mul_f64(roll.clamp(0.0, 1.0)))
}

/// The first time of the calendar after a moment.
#[must_use]
pub fn after(calendar: &Calendar, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    // From the day before: a gap at its end may have moved a time of it to the next.
    let mut date = moment.to_zoned(zone.clone()).date().yesterday().ok()?;
    for _ in 0..DAYS {
        if fits(calendar, date)
            && let Some(found) = times(calendar, date, zone).into_iter().filter(|time| *time > moment).min()
        {
            return Some(found);
        }
        date = date.tomorrow().ok()?;
    }
    None
}

fn fits(calendar: &Calendar, date: Date) -> bool {
    let any =
        |list: &[u8], value: i8| list.is_empty() || list.iter().any(|wanted| i16::from(*wanted) == i16::from(value));
    any(&calendar.months, date.month())
        && any(&calendar.days, date.day())
        && any(&calendar.weekdays, date.weekday().to_monday_one_offset())
}

/// The calendar's times on a day that fits.
fn times(calendar: &Calendar, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
    let list = |values: &[u8], all: u8| if values.is_empty() { (0..all).collect() } else { values.to_vec() };
    let (hours, minutes) = (list(&calendar.hours, 24), list(&calendar.minutes, 60));
    let mut times = Vec::new();
    for hour in &hours {
        for minute in &minutes {
            let (Ok(hour), Ok(minute)) = (i8::try_from(*hour), i8::try_from(*minute)) else { continue };
            if !(0..24).contains(&hour) || !(0..60).contains(&minute) {
                continue;
            }
            let found = zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
            match found.offset() {
                AmbiguousOffset::Gap { .. } if calendar.hours.is_empty() => {}
                AmbiguousOffset::Fold { .. } if calendar.hours.is_empty() => {
                    times.extend(found.earlier());
                    times.extend(found.later());
                }
                _ => times.extend(found.compatible()),
            }
        }
    }
    times
}

fn add(time: Timestamp, distance: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(distance).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn berlin() -> TimeZone {
        // By its rule, so that no time zone data base is needed.
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone")
    }

    fn at(hours: &[u8], minutes: &[u8]) -> Calendar {
        Calendar { hours: hours.to_vec(), minutes: minutes.to_vec(), ..Calendar::default() }
    }

    fn several(calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
        let mut now = time(from);
        (0..count)
            .map(|_| {
                now = after(calendar, now, &berlin()).expect("a next one");
                now.to_string()
            })
            .collect()
    }

    #[test]
    fn a_named_hour_comes_once_a_day_in_spring_and_autumn() {
        // 02:30 does not exist on the 29th of March: it comes an hour later.
        assert_eq!(
            several(&at(&[2], &[30]), "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]
        );
        // It exists twice on the 25th of October.
        assert_eq!(
            several(&at(&[2], &[30]), "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn every_hour_is_every_real_hour() {
        let hourly = at(&[], &[30]);
        for from in ["2026-03-28T23:45:00Z", "2026-10-24T22:45:00Z"] {
            let times: Vec<Timestamp> = several(&hourly, from, 6).iter().map(|text| time(text)).collect();
            for pair in times.windows(2) {
                assert_eq!(pair[1].duration_since(pair[0]).as_secs(), 3600, "{pair:?}");
            }
        }
    }

    #[test]
    fn days_of_the_week_and_month_must_both_fit_and_what_never_comes_is_never() {
        let friday_13 = Calendar { weekdays: vec![5], days: vec![13], ..at(&[0], &[0]) };
        assert_eq!(several(&friday_13, "2026-04-01T00:00:00Z", 1), ["2026-11-12T23:00:00Z"]);
        let never = Calendar { months: vec![2], days: vec![30], ..Calendar::default() };
        assert_eq!(after(&never, time("2026-01-01T00:00:00Z"), &berlin()), None);
        let leap = Calendar { months: vec![2], days: vec![29], weekdays: vec![7], ..at(&[0], &[0]) };
        assert!(after(&leap, time("2096-01-01T00:00:00Z"), &TimeZone::UTC).is_some());
    }

    #[test]
    fn what_was_missed_is_made_up_for_only_where_that_is_asked_for() {
        let mut schedule =
            Schedule { when: ScheduleWhen::Calendar(at(&[2], &[30])), jitter: Duration::ZERO, persistent: true };
        let now = time("2026-06-10T12:00:00Z");
        let runs = Runs { since: Some(time("2026-06-01T00:00:00Z")), ..Runs::default() };
        assert!(next(&schedule, &runs, now, &TimeZone::UTC, 0.0).is_some_and(|due| due < now));
        let up_to_date = Runs { last: Some(time("2026-06-10T02:30:01Z")), ..runs.clone() };
        assert!(next(&schedule, &up_to_date, now, &TimeZone::UTC, 0.0).is_some_and(|due| due > now));
        schedule.persistent = false;
        assert_eq!(next(&schedule, &runs, now, &TimeZone::UTC, 0.0), Some(time("2026-06-11T02:30:00Z")));
    }

    #[test]
    fn every_counts_from_the_last_start_or_from_when_it_was_armed() {
        let schedule = Schedule {
            when: ScheduleWhen::Every(Duration::from_secs(900)),
            jitter: Duration::from_secs(60),
            persistent: false,
        };
        let now = time("2026-06-10T12:00:00Z");
        let mut runs = Runs { since: Some(now), ..Runs::default() };
        assert_eq!(next(&schedule, &runs, now, &TimeZone::UTC, 0.5), Some(time("2026-06-10T12:15:30Z")));
        runs.last = Some(time("2026-06-10T12:10:00Z"));
        let later = time("2026-06-10T12:11:00Z");
        assert_eq!(next(&schedule, &runs, later, &TimeZone::UTC, 0.0), Some(time("2026-06-10T12:25:00Z")));
        // The clock was set back by hours: the next one is not hours away.
        let before = time("2026-06-10T05:00:00Z");
        assert_eq!(next(&schedule, &runs, before, &TimeZone::UTC, 0.0), Some(time("2026-06-10T05:15:00Z")));
    }

    fn calendars() -> impl Strategy<Value = Calendar> {
        let list = |from: u8, to: u8| proptest::collection::vec(from..=to, 0..3);
        (list(1, 7), list(1, 12), list(1, 28), list(0, 23), list(0, 59))
            .prop_map(|(weekdays, months, days, hours, minutes)| Calendar { weekdays, months, days, hours, minutes })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_next_one_is_later_fits_and_none_lies_between(
            calendar in calendars(),
            second in 1_700_000_000i64..2_000_000_000,
            within in 0.0f64..1.0,
        ) {
            let zone = berlin();
            let from = Timestamp::from_second(second).expect("a time");
            let Some(found) = after(&calendar, from, &zone) else { return Ok(()) };
            prop_assert!(found > from);
            let local = found.to_zoned(zone.clone());
            prop_assert_eq!(local.second(), 0);
            // But for a gap, what is found is what the rule says.
            let hit = |list: &[u8], value: i8| list.is_empty() || list.contains(&value.unsigned_abs());
            prop_assert!(hit(&calendar.minutes, local.minute()));
            prop_assert!(hit(&calendar.hours, local.hour()) || hit(&calendar.hours, local.hour() - 1));
            prop_assert!(fits(&calendar, local.date()));
            // From any moment in between, the same one is next.
            let span = found.duration_since(from).mul_f64_lossy(within);
            let between = from.checked_add(span).expect("a time");
            prop_assert_eq!(after(&calendar, between.min(found - SignedDuration::from_nanos(1)), &zone), Some(found));
        }

        #[test]
        fn jitter_adds_up_to_itself(roll in 0.0f64..=1.0, second in 1_700_000_000i64..2_000_000_000) {
            let now = Timestamp::from_second(second).expect("a time");
            let schedule = Schedule {
                when: ScheduleWhen::Calendar(at(&[], &[0])),
                jitter: Duration::from_secs(600),
                persistent: false,
            };
            let exact = next(&schedule, &Runs::default(), now, &berlin(), 0.0).expect("a time");
            let late = next(&schedule, &Runs::default(), now, &berlin(), roll).expect("a time");
            prop_assert!(late >= exact && late <= exact + SignedDuration::from_secs(600));
        }
    }

    trait MulLossy {
        fn mul_f64_lossy(self, factor: f64) -> SignedDuration;
    }

    impl MulLossy for SignedDuration {
        fn mul_f64_lossy(self, factor: f64) -> SignedDuration {
            Self::from_secs_f64(self.as_secs_f64() * factor)
        }
    }
}
