//! `daemonctl status`: what services are doing. It always answers; the exit code is the answer.

use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::time::Duration;

use super::{Context, output, status_view, views};
use crate::error::Result;
use crate::exit::Exit;
use crate::report::{Report, Style, View};
use crate::session::Session;
use crate::status::{self, Statuses};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Services, instances (web@1), or manifests whose services are meant; none: all
    #[arg(value_name = "NAME|MANIFEST")]
    names: Vec<String>,
    /// Look at processes, ports, drift and restarts of however many services
    #[arg(long)]
    full: bool,
    /// Show it again and again, every so often (2s)
    #[arg(long, short, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s", value_parser = super::parse_time)]
    watch: Option<Duration>,
}

/// Looks, once or until nobody reads any more.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let Some(interval) = args.watch else {
        if args.names.is_empty() && !args.full && !context.globals.json() {
            let mut session = ManuallyDrop::new(Session::bare(context.globals.options())?);
            if let Some(statuses) = status::table(&mut session)? {
                return Ok(report(statuses, args));
            }
        }
        // Not taken apart: the process ends with the answer, and of hundreds of services there is much to take apart.
        let mut session = ManuallyDrop::new(session(args, context)?);
        return Ok(report(status::look(&mut session, &args.names, args.full)?, args));
    };
    loop {
        let shown = Shown { statuses: look(args, context)?, one: args.names.len() == 1 };
        let flow = if context.globals.json() {
            output::redraw(&format!("{}\n", shown.json()))
        } else {
            output::redraw(&shown.text(&context.style))
        };
        if let ControlFlow::Break(()) = flow {
            return Ok(Report::done(output::Silence));
        }
        crate::system::pause(interval);
    }
}

/// A session each time, so that what was installed meanwhile is seen.
fn look(args: &Args, context: &Context) -> Result<Statuses> {
    status::look(&mut session(args, context)?, &args.names, args.full)
}

fn session(args: &Args, context: &Context) -> Result<Session> {
    Session::open_for(context.globals.options(), &args.names)
}

fn report(statuses: Statuses, args: &Args) -> Report {
    let exit = Exit::ALL.into_iter().find(|exit| exit.code() == statuses.exit).unwrap_or(Exit::Failed);
    Report::done(Shown { statuses, one: args.names.len() == 1 }).with_exit(exit)
}

/// What is shown. A single name that means a single unit is shown in full, everything else as a table.
struct Shown {
    statuses: Statuses,
    one: bool,
}

impl View for Shown {
    fn json(&self) -> serde_json::Value {
        views::to_json(&self.statuses)
    }

    fn text(&self, style: &Style) -> String {
        match self.statuses.services.as_slice() {
            [status] if self.one => status_view::one(status, &self.statuses, style),
            _ => status_view::many(&self.statuses, style),
        }
    }
}
