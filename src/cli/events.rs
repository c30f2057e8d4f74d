//! `daemonctl events`: what happened to services, as their host saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::stretch::{Range, Stretch};
use super::style::{self, BOLD, DIM, GREEN, RED, YELLOW, paint};
use super::{Context, output};
use crate::backend::BackendKind;
use crate::error::Result;
use crate::events::{Event, Query, Sink, What};
use crate::host::events::read;
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
}

/// Shows them.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let Range { last, since, until } = args.stretch.range()?;
    let query = Query { last, since, until, follow: args.stretch.follow };
    let session = context.session()?;
    let groups = session.select(&Selection::from_words(&args.names)?)?;
    let (hosted, native) = apart(&session, &groups);
    if groups.is_empty() {
        output::remark(&format!("nothing is installed in {} scope", session.layout.scope.name()), context);
    } else if hosted.is_empty() || !args.names.is_empty() {
        for (unit, manager) in &native {
            let text = format!(
                "`{unit}` is a unit of {manager} alone, of which daemonctl keeps no events: `daemonctl logs {unit}` shows \
                 {manager}'s own log of it"
            );
            output::remark(&text, context);
        }
    }
    let mut shown = Shown::new(context, &hosted);
    if !hosted.is_empty() {
        read::read(&session.layout, &|unit| hosted.contains(unit), &query, &mut shown)?;
    }
    let _ = shown.idle();
    Ok(Report::done(output::Silence))
}

/// Units that have a host, and those that have none and whose manager has them.
fn apart(
    session: &Session,
    groups: &BTreeMap<BackendKind, Vec<Service>>,
) -> (BTreeSet<String>, Vec<(String, &'static str)>) {
    let (mut hosted, mut native) = (BTreeSet::new(), Vec::new());
    for (kind, units) in groups {
        for id in units.iter().map(Service::id) {
            // A host has a spec to read.
            if crate::system::exists(&session.layout.on_disk(&session.layout.spec(&id))) {
                hosted.insert(id);
            } else {
                native.push((id, kind.name()));
            }
        }
    }
    (hosted, native)
}

/// Events shown as they come.
struct Shown {
    lines: output::Lines,
    json: bool,
    style: Style,
    width: usize,
}

impl Shown {
    fn new(context: &Context, units: &BTreeSet<String>) -> Self {
        Self {
            lines: output::Lines::new(),
            json: context.globals.json(),
            style: context.style,
            width: units.iter().map(String::len).max().unwrap_or(0),
        }
    }
}

impl Sink for Shown {
    fn event(&mut self, event: Event) -> ControlFlow<()> {
        if self.json {
            return self.lines.add(&style::harmless_json(&String::from_utf8_lossy(&event.line())));
        }
        self.lines.add(&text(&event, self.width, &self.style))
    }

    fn idle(&mut self) -> ControlFlow<()> {
        self.lines.flush()
    }
}

const fn color(what: What) -> anstyle::Style {
    match what {
        What::Ready | What::Completed | What::Healthy | What::Reloaded | What::LogRecovered | What::UnderThreshold => {
            GREEN
        }
        What::GaveUp | What::Failed | What::Unhealthy | What::LogTrouble => RED,
        What::Backoff
        | What::OverThreshold
        | What::HookFailed
        | What::ReloadRefused
        | What::StopRefused
        | What::Skipped => YELLOW,
        What::Exited | What::Adopted => BOLD,
        What::Armed | What::Starting | What::Stopping | What::Stopped => anstyle::Style::new(),
    }
}

fn text(event: &Event, width: usize, style: &Style) -> String {
    let time = crate::system::local_time(event.time).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let word = format!("{:14}", event.event.name());
    let mut told = Vec::new();
    if let Some(delay) = event.delay {
        told.push(format!(
            "again in {}",
            crate::host::words::duration(std::time::Duration::from_secs_f64(delay.max(0.0)))
        ));
    }
    told.extend(event.reason.as_deref().map(|reason| style::harmless(reason).into_owned()));
    told.extend(event.pid.map(|pid| format!("process {pid}")));
    told.extend(event.restarts.map(|restarts| format!("restarts {restarts}")));
    let line = format!(
        "{} {:width$} {} {}",
        paint(&time, DIM, style),
        event.unit,
        paint(&word, color(event.event), style),
        told.join(" · ")
    );
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::State;

    #[test]
    fn an_event_is_one_line() {
        let plain = Style { color: false, width: None, quiet: false };
        let mut event = Event::new(jiff::Timestamp::UNIX_EPOCH, "web", What::Backoff, State::Backoff);
        event = event.because("exited with code 3\u{1b}");
        (event.delay, event.restarts) = (Some(1.5), Some(2));
        let line = text(&event, 5, &plain);
        assert!(
            line.ends_with(" web   backoff        again in 1s 500ms · exited with code 3\\u{1b} · restarts 2\n"),
            "{line:?}"
        );
        let stopped = Event::new(jiff::Timestamp::UNIX_EPOCH, "web", What::Stopped, State::Stopped);
        assert!(text(&stopped, 3, &plain).ends_with(" web stopped\n"));
    }
}
