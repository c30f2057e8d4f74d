//! `daemonctl supervise`: daemonctl's own supervisor, in the foreground or in the background.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, run, views};
use crate::error::Result;
use crate::host::{self, Supervise};
use crate::report::Report;
use crate::system::{host_binary, machine};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Go to the background, and return when it answers (a crontab's `@reboot daemonctl supervise --detach`)
    #[arg(long, conflicts_with = "stop")]
    detach: bool,
    /// End the supervisor that runs, with all its services
    #[arg(long)]
    stop: bool,
    /// Have the supervisor that runs become this daemonctl, in place: no service notices. install does so by itself
    #[arg(long, conflicts_with_all = ["stop", "detach"])]
    reexec: bool,
    /// Started by a command that needs it
    #[arg(long, hide = true)]
    on_demand: bool,
}

/// `supervise --json`, where it does not end in the foreground: what it was asked for, and null elsewhere.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Done {
    /// `--detach`: that a supervisor runs now.
    running: Option<bool>,
    /// `--stop`: whether one ran, which has ended.
    stopped: Option<bool>,
    /// `--reexec`: whether one runs, which is this daemonctl now.
    reexecuted: Option<bool>,
}

/// Supervises until it is told to end.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    context.globals.check_supervisor("supervise")?;
    let scope = context.globals.scope().unwrap_or_else(machine::default_scope);
    let layout = machine::layout(scope, None)?;
    if args.stop {
        let ended = host::shut_down(&layout)?;
        let text = if ended { "the supervisor and its services have ended\n" } else { "no supervisor runs\n" };
        let text = if context.style.quiet { "" } else { text };
        return Ok(Report::done(views::said(
            text.to_owned(),
            views::to_json(&Done { stopped: Some(ended), ..Done::default() }),
        )));
    }
    if args.reexec {
        machine::make_state_folders(&layout)?;
        let program = layout.on_disk(&host_binary::ensure(&layout)?);
        let done = host::reexec(&layout, &program)?;
        let text = if done { "the supervisor is this daemonctl now\n" } else { "no supervisor runs\n" };
        let text = if context.style.quiet { "" } else { text };
        return Ok(Report::done(views::said(
            text.to_owned(),
            views::to_json(&Done { reexecuted: Some(done), ..Done::default() }),
        )));
    }
    if args.detach {
        machine::make_state_folders(&layout)?;
        host::ensure(&layout, &host_binary::ensure(&layout)?)?;
        return Ok(Report::done(views::said(
            String::new(),
            views::to_json(&Done { running: Some(true), ..Done::default() }),
        )));
    }
    let how = if args.on_demand { Supervise::OnDemand } else { Supervise::Foreground };
    let exit = host::supervise(&layout, how)?;
    let ended = views::to_json(&run::Ended { exit, code: exit.code() });
    Ok(Report::done(views::said(String::new(), ended)).with_exit(exit))
}
