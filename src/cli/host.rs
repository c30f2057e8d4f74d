//! `daemonctl host --spec FILE`: one service under a service manager. Units that install wrote call it; people don't.

use std::path::PathBuf;

use super::{Context, views};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::report::Report;
use crate::system::machine;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The resolved service, as install wrote it
    #[arg(long, value_name = "FILE", required_unless_present_any = ["service", "console_event"])]
    spec: Option<PathBuf>,
    /// The service's name, where its spec lies where install puts it
    #[arg(long, value_name = "NAME", conflicts_with = "spec")]
    service: Option<String>,
    /// Exit with 0 also when the service failed for good: for a manager that starts again whatever ends otherwise
    #[arg(long)]
    end_well: bool,
    /// Send an event (c, break, close) to the consoles or windows of processes, and do nothing else
    #[arg(long, value_name = "EVENT", conflicts_with_all = ["spec", "service"])]
    console_event: Option<String>,
    /// Their ids
    #[arg(value_name = "PID", requires = "console_event")]
    pids: Vec<u32>,
}

/// The service that the service control manager of Windows has us run: these arguments are exactly what install gave it.
///
/// It waits for our word, and a host keeps what its start has touched, so they are known without the parser of them all.
pub(super) fn service_alone() -> Option<String> {
    let mut args = std::env::args_os().skip(1);
    let known = cfg!(windows) && args.next()? == "host" && args.next()? == "--service";
    let name = args.next().filter(|_| known)?.into_string().ok().filter(|name| !name.starts_with('-'))?;
    args.next().is_none().then_some(name)
}

/// Runs the service until it is stopped or has given up.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    if let Some(event) = &args.console_event {
        return crate::host::console_event(event, &args.pids).map(|()| done(Exit::Done));
    }
    if let Some(name) = args.service.as_ref().filter(|_| cfg!(windows)) {
        // The manager waits for a sign of life: whatever else there is to do comes after it.
        return crate::host::run_service(name, context.globals.scope().unwrap_or(Scope::System)).map(done);
    }
    let scope = context.globals.scope().unwrap_or_else(machine::default_scope);
    let layout = machine::layout(scope, None)?;
    let spec = match (&args.spec, &args.service) {
        (Some(spec), _) => spec.clone(),
        (None, Some(name)) => layout.spec(name),
        (None, None) => return Err(Error::new(Exit::Usage, "neither `--spec` nor `--service` is given")),
    };
    let service = crate::host::read_spec(&spec)?;
    let exit = crate::host::run_one(service, &layout)?;
    let exit = if args.end_well && exit == Exit::ServiceFailed { Exit::Done } else { exit };
    Ok(done(exit))
}

fn done(exit: Exit) -> Report {
    Report::done(views::said(String::new(), serde_json::json!({ "exit": exit }))).with_exit(exit)
}
