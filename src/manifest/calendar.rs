//! `calendar = "..."`: times of the wall clock.
//!
//! ```text
//! calendar = word [time] | days [time] | date [time] | time
//! word     = "minutely" | "hourly" | "daily" | "weekly" | "monthly" | "yearly"
//! days     = day or range of days, separated by commas: mon..fri, sat,sun
//! date     = YEAR-MONTH-DAY, of which YEAR is *: *-*-01, *-1,7-15
//! time     = HOUR:MINUTE, each a number, a list, a range or a step: 02:30, 9..17:00, *:0/15
//! ```
//! `days` and `date` may stand together: `mon *-*-1..7 08:00` is the first Monday of each month. Without a time it is
//! 00:00; `hourly` is minute 0 of every hour, `minutely` every minute. `daily`, `weekly` (Monday), `monthly` (the 1st) and
//! `yearly` (1 January) take a time.

use serde_json::json;
use toml::de::DeValue;

use super::decode::{Decoder, Defs, Raw, Value};
use super::error::{ManifestError, shown};
use crate::service::Calendar;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const LONG_DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads a rule.
pub fn parse_calendar(text: &str) -> Result<Calendar, String> {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split_whitespace().peekable();
    let mut calendar = Calendar { hours: vec![0], minutes: vec![0], ..Calendar::default() };
    let first = *words.peek().ok_or("it is empty")?;
    let (mut named, mut timed) = (true, true);
    match first {
        "minutely" => (calendar.hours, calendar.minutes) = (Vec::new(), Vec::new()),
        "hourly" => calendar.hours = Vec::new(),
        "daily" => timed = false,
        "weekly" => (calendar.weekdays, timed) = (vec![1], false),
        "monthly" => (calendar.days, timed) = (vec![1], false),
        "yearly" => (calendar.months, calendar.days, timed) = (vec![1], vec![1], false),
        _ => (named, timed) = (false, false),
    }
    if named {
        words.next();
    }
    let (mut days, mut date) = (named, named);
    for word in words {
        if word.contains(':') && !timed {
            let (hours, minutes) = word.split_once(':').unwrap_or((word, "0"));
            if minutes.contains(':') {
                return Err(format!("`{}` has seconds; the smallest step is a minute", shown(word)));
            }
            (calendar.hours, calendar.minutes) = (numbers(hours, 0, 23, "hour")?, numbers(minutes, 0, 59, "minute")?);
            timed = true;
        } else if word.contains('-') && !date {
            let mut parts = word.split('-');
            let (year, month, day) = (parts.next(), parts.next(), parts.next());
            let (Some("*"), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
                return Err(format!("`{}` is no date such as `*-*-01`", shown(word)));
            };
            (calendar.months, calendar.days) = (numbers(month, 1, 12, "month")?, numbers(day, 1, 31, "day")?);
            date = true;
        } else if word.starts_with(|c: char| c.is_ascii_alphabetic()) && !days && !date && !timed {
            calendar.weekdays = weekdays(word)?;
            days = true;
        } else {
            return Err(format!("`{}` is not expected here", shown(word)));
        }
    }
    possible(&calendar)?;
    Ok(calendar)
}

/// Whether some day fits: 30 February never comes.
fn possible(calendar: &Calendar) -> Result<(), String> {
    const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let Some(earliest) = calendar.days.iter().min() else {
        return Ok(());
    };
    let fits = |month: &u8| *earliest <= LENGTHS[usize::from(*month) - 1];
    if calendar.months.is_empty() || calendar.months.iter().any(fits) {
        return Ok(());
    }
    Err("no month of it has that day".to_owned())
}

fn day(text: &str) -> Result<u8, String> {
    let found = DAYS.iter().position(|day| *day == text).or_else(|| LONG_DAYS.iter().position(|day| *day == text));
    let number = found.and_then(|index| u8::try_from(index + 1).ok());
    number.ok_or_else(|| format!("`{}` is no day of the week", shown(text)))
}

fn weekdays(text: &str) -> Result<Vec<u8>, String> {
    let mut list = Vec::new();
    for part in text.split(',') {
        match part.split_once("..") {
            None => list.push(day(part)?),
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                if from <= to {
                    list.extend(from..=to);
                } else {
                    list.extend((from..=7).chain(1..=to)); // fri..mon
                }
            }
        }
    }
    Ok(sorted(list))
}

/// `*`, `5`, `1,15`, `9..17`, `0/15`. Empty means every value.
fn numbers(text: &str, min: u8, max: u8, what: &str) -> Result<Vec<u8>, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let number = |text: &str| match text.parse::<u8>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("`{}` is no {what}: {min} to {max}", shown(text))),
    };
    let mut list = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step = step.map(|step| {
            step.parse::<u8>().ok().filter(|step| *step > 0).ok_or_else(|| format!("`{}` is no step", shown(step)))
        });
        let (from, to) = match (range, range.split_once("..")) {
            ("*", _) => (min, max),
            (_, Some((from, to))) => (number(from)?, number(to)?),
            (one, None) => (number(one)?, if step.is_some() { max } else { number(one)? }),
        };
        if from > to {
            return Err(format!("`{}` ends before it begins", shown(part)));
        }
        list.extend((from..=to).step_by(usize::from(step.transpose()?.unwrap_or(1))));
    }
    Ok(sorted(list))
}

fn sorted(mut list: Vec<u8>) -> Vec<u8> {
    list.sort_unstable();
    list.dedup();
    list
}

impl Value for Calendar {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        const EXPECTED: &str = "a rule such as \"daily 02:30\", \"mon..fri 09:00\", \"hourly\" or \"*-*-01 00:00\"";
        let DeValue::String(text) = raw.get_ref() else {
            return cx.mistyped(raw, EXPECTED);
        };
        match parse_calendar(text) {
            Ok(calendar) => Some(calendar),
            Err(why) => {
                let error = ManifestError::new(raw.span(), format!("`{}` is no calendar rule: {why}", cx.key()));
                cx.refuse(error.expected(format!("expected {EXPECTED}")))
            }
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weekdays, months, days, hours, minutes.
    type Lists = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

    fn rule(text: &str) -> Lists {
        let calendar = parse_calendar(text).unwrap();
        (calendar.weekdays, calendar.months, calendar.days, calendar.hours, calendar.minutes)
    }

    #[test]
    fn rules() {
        let all = Vec::new;
        assert_eq!(rule("minutely"), (all(), all(), all(), all(), all()));
        assert_eq!(rule("hourly"), (all(), all(), all(), all(), vec![0]));
        assert_eq!(rule("daily"), (all(), all(), all(), vec![0], vec![0]));
        assert_eq!(rule("daily 02:30"), (all(), all(), all(), vec![2], vec![30]));
        assert_eq!(rule("weekly"), (vec![1], all(), all(), vec![0], vec![0]));
        assert_eq!(rule("monthly 6:00"), (all(), all(), vec![1], vec![6], vec![0]));
        assert_eq!(rule("yearly"), (all(), vec![1], vec![1], vec![0], vec![0]));
        assert_eq!(rule("Mon..Fri 09:00"), (vec![1, 2, 3, 4, 5], all(), all(), vec![9], vec![0]));
        assert_eq!(rule("sat,sunday"), (vec![6, 7], all(), all(), vec![0], vec![0]));
        assert_eq!(rule("fri..mon 1:00"), (vec![1, 5, 6, 7], all(), all(), vec![1], vec![0]));
        assert_eq!(rule("*-*-01 00:00"), (all(), all(), vec![1], vec![0], vec![0]));
        assert_eq!(rule("*-1,7-15 12:05"), (all(), vec![1, 7], vec![15], vec![12], vec![5]));
        assert_eq!(rule("mon *-*-1..7 08:00"), (vec![1], all(), vec![1, 2, 3, 4, 5, 6, 7], vec![8], vec![0]));
        assert_eq!(rule("*:0/15"), (all(), all(), all(), all(), vec![0, 15, 30, 45]));
        assert_eq!(rule("9..11:30"), (all(), all(), all(), vec![9, 10, 11], vec![30]));
    }

    #[test]
    fn faults() {
        let bad = [
            "",
            "sometimes",
            "daily daily",
            "25:00",
            "12:60",
            "12",
            "12:00:00",
            "mon 12:00 tue",
            "2026-01-01",
            "*-13-01",
            "*-*-32",
            "*-2-30",
            "*-4,6-31",
            "hourly 12:00",
            "12:00 13:00",
            "5..3:00",
            "*:0/0",
            "mon..xyz",
            "12:00 *",
            "-",
            "*-*",
            ":",
            "1,:2",
        ];
        for text in bad {
            assert!(parse_calendar(text).is_err(), "{text}");
        }
    }
}
