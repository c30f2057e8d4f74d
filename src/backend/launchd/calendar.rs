//! Schedules: `StartInterval`, and a `StartCalendarInterval` for each time.

use plist::{Dictionary, Value};

use crate::backend::Answer;
use crate::service::{Calendar, Schedule, ScheduleWhen, Service};

/// launchd keeps this time between two starts of a job, whatever its interval.
const THROTTLE: u64 = 10;

/// A property list with more times than this is no property list for people any more.
const MOST: usize = 1000;

/// Whether launchd can keep an interval.
pub(super) fn every_answer(service: Option<&Service>) -> Answer {
    let every = service.and_then(|s| s.schedule.as_ref()).and_then(|schedule| match schedule.when {
        ScheduleWhen::Every(every) => Some(every),
        ScheduleWhen::Calendar(_) => None,
    });
    match every {
        Some(every) if every.as_secs() < THROTTLE || every.subsec_nanos() != 0 => Answer::Refused {
            why: "launchd's StartInterval is in whole seconds, and it starts no job more often than every ten".into(),
            remedy: "use a service that waits by itself, or `--backend embedded`".into(),
        },
        _ => Answer::Native("StartInterval".into()),
    }
}

/// Whether launchd can keep a calendar.
pub(super) fn answer(service: Option<&Service>) -> Answer {
    let calendar = service.and_then(|s| s.schedule.as_ref()).and_then(|schedule| match &schedule.when {
        ScheduleWhen::Calendar(calendar) => Some(calendar),
        ScheduleWhen::Every(_) => None,
    });
    let refused = |why: &'static str, remedy: &'static str| Answer::Refused { why: why.into(), remedy: remedy.into() };
    match calendar {
        Some(calendar) if !calendar.weekdays.is_empty() && !calendar.days.is_empty() => refused(
            "launchd runs a job when the day of the week or the day of the month fits; a manifest means both",
            "give one of the two, and look at the other in the program",
        ),
        Some(calendar) if count(calendar) > MOST => refused(
            "launchd wants each time by itself, and this calendar has more than a thousand",
            "use `every`, or fewer times",
        ),
        _ => Answer::Native("StartCalendarInterval".into()),
    }
}

fn count(calendar: &Calendar) -> usize {
    let Calendar { weekdays, months, days, hours, minutes } = calendar;
    [weekdays, months, days, hours, minutes].iter().map(|list| list.len().max(1)).product()
}

/// The keys of a schedule.
pub(super) fn insert(schedule: &Schedule, list: &mut Dictionary) {
    match &schedule.when {
        ScheduleWhen::Every(every) => {
            list.insert("StartInterval".to_owned(), Value::from(every.as_secs().max(1)));
        }
        ScheduleWhen::Calendar(calendar) => {
            let mut times: Vec<Value> = times(calendar).into_iter().map(Value::Dictionary).collect();
            let value = if times.len() == 1 { times.remove(0) } else { Value::Array(times) };
            list.insert("StartCalendarInterval".to_owned(), value);
        }
    }
}

/// Each time of the calendar. What is left out means every value.
fn times(calendar: &Calendar) -> Vec<Dictionary> {
    // launchd takes both 0 and 7 for Sunday; cron(8), which it follows, has 0.
    let weekdays: Vec<u8> = calendar.weekdays.iter().map(|day| day % 7).collect();
    let lists = [
        ("Month", &calendar.months),
        ("Weekday", &weekdays),
        ("Day", &calendar.days),
        ("Hour", &calendar.hours),
        ("Minute", &calendar.minutes),
    ];
    let mut times = vec![Dictionary::new()];
    for (name, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
        times = times
            .iter()
            .flat_map(|time| {
                values.iter().map(|value| {
                    let mut time = time.clone();
                    time.insert(name.to_owned(), Value::from(u64::from(*value)));
                    time
                })
            })
            .collect();
    }
    times
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backend::launchd::sample::service;

    fn with(when: ScheduleWhen) -> Service {
        let mut s = service();
        s.schedule = Some(Box::new(Schedule { when, jitter: Duration::ZERO, persistent: false }));
        s
    }

    #[test]
    fn a_calendar_is_all_its_times() {
        let calendar = Calendar { weekdays: vec![1, 7], hours: vec![2], minutes: vec![0, 30], ..Calendar::default() };
        let times = times(&calendar);
        let shown: Vec<(u64, u64, u64)> = times
            .iter()
            .map(|time| {
                let field = |name: &str| time.get(name).and_then(Value::as_unsigned_integer).unwrap();
                assert_eq!(time.len(), 3);
                (field("Weekday"), field("Hour"), field("Minute"))
            })
            .collect();
        assert_eq!(shown, [(1, 2, 0), (1, 2, 30), (0, 2, 0), (0, 2, 30)]);
        assert_eq!(super::times(&Calendar::default()).len(), 1);
    }

    #[test]
    fn what_launchd_would_run_at_other_times_is_refused() {
        let refused = |when| matches!(answer(Some(&with(when))), Answer::Refused { .. });
        let both = Calendar { weekdays: vec![5], days: vec![13], ..Calendar::default() };
        assert!(refused(ScheduleWhen::Calendar(both)));
        let many = Calendar { hours: (0..24).collect(), minutes: (0..60).collect(), ..Calendar::default() };
        assert!(refused(ScheduleWhen::Calendar(many)));
        assert!(!refused(ScheduleWhen::Calendar(Calendar { days: vec![13], ..Calendar::default() })));
        let every = |seconds| every_answer(Some(&with(ScheduleWhen::Every(Duration::from_secs_f64(seconds)))));
        assert!(matches!(every(9.0), Answer::Refused { .. }));
        assert!(matches!(every(10.5), Answer::Refused { .. }));
        assert!(matches!(every(10.0), Answer::Native(_)));
    }
}
