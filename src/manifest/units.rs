//! Times and sizes: strings with units, never bare numbers.
//!
//! Times: `ms`, `s`, `m` (minutes), `h`, `d`, `w`, also several in falling order: `1h30m`. Sizes: `B`, powers of 1024
//! as `KiB`, `MiB`, `GiB`, `TiB` or in short `K`, `M`, `G`, `T`, powers of 1000 as `kB` (also `KB`), `MB`, `GB`, `TB`.

use std::time::Duration;

use serde_json::json;
use toml::de::DeValue;

use super::decode::{Decoder, Defs, Raw, Value};
use super::error::{ManifestError, shown};

/// Units of time in milliseconds, largest first.
const TIMES: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Longer than any service lives, and short enough for every manager's counters: about a hundred years.
const LONGEST: u64 = 36_500 * 86_400_000;

/// Units of size in bytes.
const SIZES: [(&str, u64); 14] = [
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// A time as a manifest writes it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut last = u64::MAX;
    if rest.is_empty() {
        return Err("it is empty".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        if number.is_empty() {
            return Err(format!("`{}` does not begin with a number", shown(rest)));
        }
        if unit.is_empty() {
            return Err(if after.starts_with('.') {
                "it has a fraction".to_owned()
            } else {
                "it has no unit".to_owned()
            });
        }
        let Some((_, size)) = TIMES.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{}` is no unit of time", shown(unit)));
        };
        if *size >= last {
            return Err("its units do not fall".to_owned());
        }
        last = *size;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*size));
        total =
            part.and_then(|part| total.checked_add(part)).filter(|total| *total <= LONGEST).ok_or("it is too long")?;
        rest = next.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// A time as a manifest would write it.
#[must_use]
pub fn show_duration(time: Duration) -> String {
    let mut left = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in TIMES {
        let count = left / size;
        left %= size;
        if count > 0 {
            text.extend([&count.to_string(), unit]);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A size as a manifest writes it, in bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err("it does not begin with a number".to_owned());
    }
    if unit.is_empty() {
        return Err("it has no unit".to_owned());
    }
    if unit.starts_with('.') {
        return Err("it has a fraction".to_owned());
    }
    let Some((_, size)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{}` is no unit of size", shown(unit)));
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*size));
    bytes.filter(|bytes| *bytes <= 1 << 60).ok_or_else(|| "it is too large".to_owned())
}

/// A size as a manifest would write it.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let units = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fits = units.into_iter().find(|(_, size): &(&str, u64)| bytes > 0 && bytes.is_multiple_of(*size));
    fits.map_or_else(|| format!("{bytes}B"), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Reads a string with a unit.
fn with_unit<T>(
    raw: &Raw<'_>,
    cx: &mut Decoder<'_>,
    what: &str,
    example: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Option<T> {
    let expected = format!("{what} such as {example}");
    let written = |unit: &str| Some(format!("add a unit: \"{}{unit}\"", raw_number(raw)));
    let text = match raw.get_ref() {
        DeValue::String(text) => text,
        DeValue::Integer(_) | DeValue::Float(_) => {
            return cx.mistyped_hint(raw, &expected, written(if what == "a time" { "s" } else { "MiB" }));
        }
        _ => return cx.mistyped(raw, &expected),
    };
    match parse(text) {
        Ok(value) => Some(value),
        Err(why) => {
            let place = if text.trim().is_empty() { String::new() } else { format!(" in `{}`", shown(text)) };
            let error = ManifestError::new(raw.span(), format!("`{}` is not {what}: {why}{place}", cx.key()));
            let units = if what == "a time" {
                "`ms`, `s`, `m`, `h`, `d`, `w`"
            } else {
                "`B`, `KiB`, `MiB`, `GiB`, `TiB`, `kB`, `MB`, `GB`, `TB`"
            };
            cx.refuse(error.expected(format!("expected {expected}")).hint(format!("units: {units}")))
        }
    }
}

fn raw_number(raw: &Raw<'_>) -> String {
    match raw.get_ref() {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().split('.').next().unwrap_or("1").to_owned(),
        _ => "1".to_owned(),
    }
}

impl Value for Duration {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        with_unit(raw, cx, "a time", "\"30s\", \"5m\" or \"1h30m\"", parse_duration)
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "pattern": r"^\s*([0-9]+(ms|s|m|h|d|w)\s*)+$" })
    }
}

/// A time of more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SomeTime(pub(crate) Duration);

impl Value for SomeTime {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let time = Duration::decode(raw, cx)?;
        if time.is_zero() {
            let error = ManifestError::new(raw.span(), format!("`{}` cannot be zero", cx.key()));
            return cx.refuse(error.expected("expected a time such as \"30s\""));
        }
        Some(Self(time))
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        Duration::schema(defs)
    }
}

/// Bytes, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Value for Size {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let bytes = with_unit(raw, cx, "a size", "\"10MiB\", \"1GB\" or \"512K\"", parse_size)?;
        if bytes == 0 {
            let error = ManifestError::new(raw.span(), format!("`{}` cannot be zero", cx.key()));
            return cx
                .refuse(error.expected("expected a size such as \"10MiB\"").hint("leave the key out for no limit"));
        }
        Some(Self(bytes))
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "pattern": "^\\s*[0-9]+\\s*(B|[KMGT](iB)?|[kKMGT]B)\\s*$" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times() {
        let ms = |text: &str| parse_duration(text).map(|time| time.as_millis());
        assert_eq!(ms("30s"), Ok(30_000));
        assert_eq!(ms("5m"), Ok(300_000));
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("1h 30m"), Ok(5_400_000));
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("2d"), Ok(172_800_000));
        assert_eq!(ms("0s"), Ok(0));
        for bad in
            ["", "30", "s", "1.5s", "30 sec", "1m1h", "1s1s", "-1s", "99999999999999999999s", "40000d", "1h30", "5min"]
        {
            assert!(ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("10MiB"), Ok(10 << 20));
        assert_eq!(parse_size("1GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("512K"), Ok(512 << 10));
        assert_eq!(parse_size("7 B"), Ok(7));
        for bad in ["", "10", "MiB", "1.5G", "1mib", "10 MiBs", "99999999999T", "-1B"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_time_comes_back(ms in 0..=LONGEST) {
            let time = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&show_duration(time)), Ok(time));
        }

        #[test]
        fn a_size_comes_back(bytes in 0..=1_u64 << 60) {
            prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }
    }
}
