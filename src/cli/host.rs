//! `daemonctl host --spec FILE`: one service under a service manager. Units that install wrote call it; people don't.

use std::path::PathBuf;

use super::{Context, views};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::service::Service;
use crate::system::{files, machine};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The resolved service, as install wrote it
    #[arg(long, value_name = "FILE")]
    spec: PathBuf,
}

/// Runs the service until it is stopped or has given up.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let bytes = files::read(&args.spec)?.ok_or_else(|| {
        Error::new(Exit::NotInstalled, format!("there is no spec `{}`", args.spec.display()))
            .hint("install the manifest again: `daemonctl install MANIFEST`")
    })?;
    let service: Service = serde_json::from_slice(&bytes).map_err(|error| {
        Error::failed(format!("the spec `{}` cannot be read: {error}", args.spec.display()))
            .hint("another version of daemonctl wrote it; install the manifest again")
    })?;
    let scope = context.globals.scope().unwrap_or_else(machine::default_scope);
    let exit = crate::host::run_one(service, &machine::layout(scope, None)?)?;
    Ok(Report::done(views::said(String::new(), serde_json::json!({ "exit": exit }))).with_exit(exit))
}
