//! `daemonctl logs`: what services wrote, in order, from wherever it went.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::stretch::{Range, Stretch};
use super::style::{self, DIM, paint};
use super::{Context, output};
use crate::backend::{BackendKind, embedded};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::logs::{LogLine, LogQuery, Sink, Stream};
use crate::report::{Report, Style};
use crate::service::Service;
use crate::session::{Selection, Session};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Services, instances (web@1), or manifests whose services are meant; none: all
    #[arg(value_name = "NAME|MANIFEST")]
    names: Vec<String>,
    #[command(flatten)]
    stretch: Stretch,
    /// Only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
}

/// Shows them.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let Range { last: lines, since, until } = args.stretch.range()?;
    let query = LogQuery { lines, since, until, grep: args.grep.clone(), follow: args.stretch.follow };
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
            return self.lines.add(&format!("{}\n", style::harmless_json(&text)));
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

    fn line(unit: &str, second: Option<i64>, message: &str) -> LogLine {
        LogLine {
            unit: unit.to_owned(),
            time: second.map(|second| jiff::Timestamp::from_second(second).unwrap()),
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
