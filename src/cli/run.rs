//! `daemonctl run MANIFEST`: the services in the foreground, with nothing installed.

use std::path::PathBuf;

use super::Context;
use super::views::{Text, said, to_json};
use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::{BackendKind, Target};
use crate::error::Result;
use crate::exit::Exit;
use crate::facts::Facts;
use crate::report::Report;
use crate::service::Service;
use crate::{host, install, manifest, prepare, system};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The manifest; - for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Only these services (and nothing that they depend on)
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// End with the exit code of the service that failed (128 and its number for a signal), not with 5: for containers
    #[arg(long)]
    pass_exit_code: bool,
}

/// What `run --json` says when it ends, and `supervise --json` in the foreground.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ended {
    /// How it ended.
    pub(super) exit: Exit,
    /// That exit code. The process's own is another one with `--pass-exit-code`.
    pub(super) code: u8,
}

/// Runs until every service has ended, or Ctrl-C stops them.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    context.globals.check_supervisor("run")?;
    let session = context.session()?;
    let read = prepare::read(&args.manifest)?;
    let target: Target = session.target(BackendKind::Embedded)?;
    let facts = system::machine::Local::new(target.scope);
    let prepared: install::Prepared = prepare::prepare(&read, target, &facts as &dyn Facts)?;
    let wanted = |service: &Service| args.names.is_empty() || args.names.contains(&service.name);
    let services: Vec<Service> = prepared
        .services
        .iter()
        .map(|(service, _)| service)
        .filter(|service| wanted(service))
        .flat_map(Service::units)
        .collect();
    if let Some(missing) =
        args.names.iter().find(|name| !prepared.services.iter().any(|(service, _)| service.name == **name))
    {
        let error =
            crate::Error::new(crate::Exit::Usage, format!("`{}` has no service `{missing}`", args.manifest.display()));
        let names = || prepared.services.iter().map(|(service, _)| service.name.as_str());
        return Err(match manifest::nearest(missing, names()) {
            Some(near) => error.hint(format!("there is `{near}`")),
            None => error.hint(format!("it has: {}", names().collect::<Vec<_>>().join(", "))),
        });
    }
    // With `--json`, standard output is for the answer alone.
    let aside = context.globals.json();
    let (exit, code) = host::run_foreground(services, &prepared.target.layout, aside)?;
    let nothing: Text = said(String::new(), to_json(&Ended { exit, code: exit.code() }));
    let passed_on = code.filter(|_| args.pass_exit_code && exit != crate::Exit::Done);
    Ok(Report { passed_on, ..Report::done(nothing).with_exit(exit) })
}
