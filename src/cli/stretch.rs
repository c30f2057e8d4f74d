//! Which stretch of time, and how much of it: what `logs` and `events` are asked alike.

use jiff::{Timestamp, Zoned};

use crate::error::{Error, Result};
use crate::exit::Exit;

/// So many are shown where nothing says how many.
const USUAL: usize = 100;

/// Arguments.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Stretch {
    /// Go on with what comes from now on
    #[arg(long, short, conflicts_with = "until")]
    pub(super) follow: bool,
    /// The last so many of each service, or all (the default is 100, and all with --since or --until)
    #[arg(long, short = 'n', value_name = "N|all", value_parser = parse_lines)]
    lines: Option<Count>,
    /// Not before: 10m, 2h30m (ago), today, yesterday, 2026-01-31, "2026-01-31 12:00", RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after; as --since
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    All,
    Last(usize),
}

fn parse_lines(text: &str) -> Result<Count, String> {
    match text {
        "all" => Ok(Count::All),
        _ => text.parse().map(Count::Last).map_err(|_| "write a number, or `all`".to_owned()),
    }
}

/// What they mean now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The last so many; None: all.
    pub(super) last: Option<usize>,
    /// Not before.
    pub(super) since: Option<Timestamp>,
    /// Not after.
    pub(super) until: Option<Timestamp>,
}

impl Stretch {
    /// By the clock of this place.
    pub(super) fn range(&self) -> Result<Range> {
        self.range_at(&crate::system::local_time(crate::system::now()))
    }

    fn range_at(&self, now: &Zoned) -> Result<Range> {
        let time = |text: &Option<String>| text.as_deref().map(|text| parse_when(text, now)).transpose();
        let (since, until) = (time(&self.since)?, time(&self.until)?);
        if let (Some(from), Some(to)) = (since, until)
            && from > to
        {
            return Err(Error::new(Exit::Usage, "`--until` is before `--since`: nothing is between them"));
        }
        let last = match self.lines {
            Some(Count::All) => None,
            Some(Count::Last(count)) => Some(count),
            None => (since.is_none() && until.is_none()).then_some(USUAL),
        };
        Ok(Range { last, since, until })
    }
}

/// A time: so long ago, a word, a date, a date and time of this place, or RFC 3339.
fn parse_when(text: &str, now: &Zoned) -> Result<Timestamp> {
    let unclear = || {
        Error::new(Exit::Usage, format!("`{text}` is no time"))
            .hint("write `10m`, `2h30m`, `today`, `yesterday`, `2026-01-31`, `2026-01-31 12:00`, or RFC 3339")
    };
    let zoned = match text {
        "now" => Ok(now.clone()),
        "today" => now.start_of_day(),
        "yesterday" => now.yesterday().and_then(|day| day.start_of_day()),
        _ => {
            if let Ok(time) = text.parse::<Timestamp>() {
                return Ok(time);
            }
            if let Ok(span) = text.parse::<jiff::Span>() {
                // `-10m` means ten minutes ago as well.
                now.checked_sub(span.abs())
            } else {
                let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| unclear())?;
                civil.to_zoned(now.time_zone().clone())
            }
        }
    };
    zoned.map(|zoned| zoned.timestamp()).map_err(|_| unclear())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-03-10T12:00:00[Europe/Berlin]".parse().unwrap_or_else(|_| "2026-03-10T12:00:00[UTC]".parse().unwrap())
    }

    fn ago(text: &str) -> i64 {
        now().timestamp().as_second() - parse_when(text, &now()).unwrap().as_second()
    }

    #[test]
    fn times_are_understood() {
        assert_eq!(ago("now"), 0);
        assert_eq!(ago("10m"), 600);
        assert_eq!(ago("-10m"), 600);
        assert_eq!(ago("2h30m"), 9000);
        assert_eq!(ago("1d"), 86400);
        assert_eq!(ago("today"), 12 * 3600);
        assert_eq!(ago("yesterday"), 36 * 3600);
        assert_eq!(ago("2026-03-10 11:59"), 60);
        assert_eq!(ago("2026-03-10"), 12 * 3600);
        let exact = parse_when("2026-03-10T00:00:00Z", &now()).unwrap();
        assert_eq!(exact.to_string(), "2026-03-10T00:00:00Z");
        for wrong in ["", "soon", "10", "2026-13-01"] {
            assert_eq!(parse_when(wrong, &now()).unwrap_err().exit(), Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_time_means_all_unless_a_number_is_given() {
        let stretch = |lines, since: Option<&str>, until: Option<&str>| Stretch {
            follow: false,
            lines,
            since: since.map(str::to_owned),
            until: until.map(str::to_owned),
        };
        let last = |lines, since| stretch(lines, since, None).range_at(&now()).unwrap().last;
        assert_eq!(last(None, None), Some(USUAL));
        assert_eq!(last(None, Some("1h")), None);
        assert_eq!(last(Some(Count::Last(3)), Some("1h")), Some(3));
        assert_eq!(parse_lines("all"), Ok(Count::All));
        parse_lines("-1").unwrap_err();
        let none = stretch(None, Some("1h"), Some("2h")).range_at(&now()).unwrap_err();
        assert_eq!(none.exit(), Exit::Usage);
    }
}
