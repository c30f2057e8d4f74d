//! `daemonctl plan MANIFEST`: what `install` would change on this machine.

use std::path::PathBuf;

use super::{Context, install, views};
use crate::error::Result;
use crate::exit::Exit;
use crate::report::Report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The manifest; - for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Exit with 10 when there are changes
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    how: install::How,
}

/// Plans and shows.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let planned = install::planned(&args.manifest, &args.how, context)?;
    let changes = !planned.steps.is_empty();
    let report = Report::done(views::PlanView(planned));
    Ok(if changes && args.exit_code { report.with_exit(Exit::Changes) } else { report })
}
