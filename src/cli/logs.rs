//! `daemonctl logs`: what services wrote, in order, from wherever it went.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::{Timestamp, Zoned};

use super::style::{self, DIM, paint};
use super::{Context, output};
use crate::backend::{BackendKind, embedded};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::logs::{LogLine, LogQuery, Sink, Stream};
use crate::report::{Report, Style};
use crate::service::Service;
use crate::session::{Selection, Session};

/// Lines that are shown where nothing says how many.
const USUAL: usize = 100;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Services, instances (web@1), or manifests whose services are meant; none: all
    #[arg(value_name = "NAME|MANIFEST")]
    names: Vec<String>,
    /// Go on with what is written from now on
    #[arg(long, short)]
    follow: bool,
    /// The last so many lines of each, or all (the default is 100, and all with --since or --until)
    #[arg(long, short = 'n', value_name = "N|all", value_parser = parse_lines)]
    lines: Option<Count>,
    /// Not before: 10m, 2h30m (ago), today, yesterday, 2026-01-31, "2026-01-31 12:00", RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after; as --since
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    All,
    Last(usize),
}

pub(super) fn parse_lines(text: &str) -> Result<Count, String> {
    match text {
        "all" => Ok(Count::All),
        _ => text.parse().map(Count::Last).map_err(|_| "write a number, or `all`".to_owned()),
    }
}

/// Shows them.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let query = query(args, &crate::system::local_time(crate::system::now()))?;
    let mut session = context.session()?;
    let groups = places(session.select(&Selection::from_words(&args.names)?)?);
    let units: Vec<String> = groups.values().flatten().map(Service::id).collect();
    let mut shown = Shown::new(context, &units);
    match groups.len() {
        0 => output::remark(&format!("nothing is installed in {} scope", session.layout.scope.name()), context),
        1 => {
            for (place, units) in &groups {
                read(&mut session, *place, units, &query, &mut shown)?;
            }
        }
        _ => {
            if query.follow {
                return Err(several(&groups));
            }
            let mut kept = Kept::default();
            for (place, units) in &groups {
                read(&mut session, *place, units, &query, &mut kept)?;
            }
            let _ = kept.by_time().into_iter().try_for_each(|line| shown.line(line));
        }
    }
    let _ = shown.idle();
    Ok(Report::done(output::Silence))
}

/// Where lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Where a service manager keeps them.
    Manager(BackendKind),
    /// In files that the manifest names.
    Files,
}

/// The units by where their lines are. What goes to files and to the manager is read from the manager, which has it all.
fn places(groups: BTreeMap<BackendKind, Vec<Service>>) -> BTreeMap<Place, Vec<Service>> {
    let mut places: BTreeMap<Place, Vec<Service>> = BTreeMap::new();
    for (kind, units) in groups {
        for unit in units {
            let files = kind != BackendKind::Embedded && unit.logs.file.is_some() && !unit.logs.native;
            places.entry(if files { Place::Files } else { Place::Manager(kind) }).or_default().push(unit);
        }
    }
    places
}

fn read(session: &mut Session, place: Place, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
    match place {
        Place::Manager(kind) => session.manager(kind)?.logs(units, query, sink),
        Place::Files => embedded::file_logs(&session.layout, units, query, sink),
    }
}

fn several(groups: &BTreeMap<Place, Vec<Service>>) -> Error {
    let of = |(place, units): (&Place, &Vec<Service>)| {
        let names: Vec<_> = units.iter().map(Service::id).collect();
        let place = match place {
            Place::Manager(kind) => kind.name(),
            Place::Files => "files",
        };
        format!("{place}: {}", names.join(" "))
    };
    let error = Error::new(Exit::Usage, "services whose lines are in several places can't be followed together");
    groups.iter().map(of).fold(error, Error::detail).hint("name services of one place")
}

fn query(args: &Args, now: &Zoned) -> Result<LogQuery> {
    let time = |text: &Option<String>| text.as_deref().map(|text| parse_when(text, now)).transpose();
    let (since, until) = (time(&args.since)?, time(&args.until)?);
    let lines = match args.lines {
        Some(Count::All) => None,
        Some(Count::Last(count)) => Some(count),
        None => (since.is_none() && until.is_none()).then_some(USUAL),
    };
    Ok(LogQuery { lines, since, until, grep: args.grep.clone(), follow: args.follow })
}

/// A time: so long ago, a word, a date, a date and time of this place, or RFC 3339.
pub(super) fn parse_when(text: &str, now: &Zoned) -> Result<Timestamp> {
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

/// Lines kept to be sorted.
#[derive(Default)]
struct Kept(Vec<LogLine>);

impl Kept {
    /// By time; a line without one stays behind the line that it followed.
    fn by_time(self) -> Vec<LogLine> {
        let mut last = None;
        let mut keyed: Vec<_> = self
            .0
            .into_iter()
            .map(|line| {
                last = line.time.or(last);
                (last, line)
            })
            .collect();
        keyed.sort_by_key(|(time, _)| *time);
        keyed.into_iter().map(|(_, line)| line).collect()
    }
}

impl Sink for Kept {
    fn line(&mut self, line: LogLine) -> ControlFlow<()> {
        self.0.push(line);
        ControlFlow::Continue(())
    }

    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Lines shown as they come; what was added is flushed where the source waits.
struct Shown {
    lines: output::Lines,
    json: bool,
    dress: Dress,
}

impl Shown {
    fn new(context: &Context, units: &[String]) -> Self {
        Self { lines: output::Lines::new(), json: context.globals.json(), dress: Dress::new(units, context.style) }
    }
}

impl Sink for Shown {
    fn line(&mut self, line: LogLine) -> ControlFlow<()> {
        if self.json {
            // Plain data, which always serializes.
            let text = serde_json::to_string(&line).unwrap_or_default();
            return self.lines.add(&format!("{text}\n"));
        }
        self.lines.add(&self.dress.line(&line))
    }

    fn idle(&mut self) -> ControlFlow<()> {
        self.lines.flush()
    }
}

/// How a line looks: time, unit (where there are several) in a colour of its own, text.
struct Dress {
    style: Style,
    width: usize,
    colors: BTreeMap<String, anstyle::Style>,
}

impl Dress {
    fn new(units: &[String], style: Style) -> Self {
        let palette = style::PALETTE.iter().copied().cycle();
        let width = units.iter().map(String::len).max().unwrap_or(0);
        Self { style, width, colors: units.iter().cloned().zip(palette).collect() }
    }

    fn line(&self, line: &LogLine) -> String {
        let mut text = String::new();
        if let Some(time) = line.time {
            let time = crate::system::local_time(time).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
            text.push_str(&paint(&time, DIM, &self.style));
            text.push(' ');
        }
        if self.colors.len() > 1 {
            let name = format!("{:width$}", line.unit, width = self.width);
            let color = self.colors.get(&line.unit).copied().unwrap_or_default();
            text.push_str(&paint(&name, color, &self.style));
            text.push(' ');
        }
        // Into a pipe goes what the service wrote; a terminal is protected from it.
        let message =
            if self.style.width.is_some() { style::harmless(&line.message) } else { line.message.as_str().into() };
        match line.stream {
            Stream::Manager => text.push_str(&paint(&message, DIM, &self.style)),
            Stream::Stdout | Stream::Stderr | Stream::Merged => text.push_str(&message),
        }
        text.push('\n');
        text
    }
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
    fn a_time_means_all_lines_unless_a_number_is_given() {
        let args = |lines, since: Option<&str>| Args {
            names: Vec::new(),
            follow: false,
            lines,
            since: since.map(str::to_owned),
            until: None,
            grep: None,
        };
        assert_eq!(query(&args(None, None), &now()).unwrap().lines, Some(USUAL));
        assert_eq!(query(&args(None, Some("1h")), &now()).unwrap().lines, None);
        assert_eq!(query(&args(Some(Count::Last(3)), Some("1h")), &now()).unwrap().lines, Some(3));
        assert_eq!(parse_lines("all"), Ok(Count::All));
        parse_lines("-1").unwrap_err();
    }

    fn line(unit: &str, second: Option<i64>, message: &str) -> LogLine {
        LogLine {
            unit: unit.to_owned(),
            time: second.map(|second| Timestamp::from_second(second).unwrap()),
            stream: Stream::Stdout,
            message: message.to_owned(),
        }
    }

    #[test]
    fn lines_are_merged_by_time() {
        let kept = Kept(vec![
            line("a", Some(1), "1"),
            line("a", None, "1+"),
            line("a", Some(9), "9"),
            line("b", Some(5), "5"),
        ]);
        let order: Vec<_> = kept.by_time().into_iter().map(|line| line.message).collect();
        assert_eq!(order, ["1", "1+", "5", "9"]);
    }

    #[test]
    fn names_are_shown_where_there_are_several() {
        let plain = Style { color: false, width: None, quiet: false };
        let one = Dress::new(&["web".to_owned()], plain);
        assert_eq!(one.line(&line("web", None, "hi\u{1b}")), "hi\u{1b}\n");
        let two = Dress::new(&["web".to_owned(), "db".to_owned()], Style { color: true, width: Some(80), ..plain });
        let (web, db) = (two.line(&line("web", None, "hi\u{1b}")), two.line(&line("db", None, "hi")));
        assert!(web.ends_with("hi\\u{1b}\n"), "{web:?}");
        assert!(db.contains("db "), "{db:?}");
        assert_ne!(web.split('m').next(), db.split('m').next());
    }
}
