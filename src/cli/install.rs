//! `daemonctl install MANIFEST`: from a manifest to running services, or everything as before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Context, progress, views};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::facts::{Facts, Foreign};
use crate::install::{self, Options, Planned, Prepared};
use crate::prepare;
use crate::report::Report;
use crate::session::Session;
use crate::system;
use crate::system::password::PasswordFrom;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The manifest; - for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    how: How,
}

/// How to go about it; `plan` takes the same.
#[derive(Debug, clap::Args)]
pub struct How {
    /// Don't start what is down
    #[arg(long)]
    no_start: bool,
    /// Take over units, files and services that somebody else made; what they were is kept in the receipt
    #[arg(long)]
    adopt: bool,
    /// Remove services that left the manifest
    #[arg(long)]
    prune: bool,
    /// Give up after this time (30s, 5m); without it, each service's own timeouts count
    #[arg(long, value_name = "TIME", value_parser = super::parse_time)]
    wait: Option<Duration>,
    /// Windows: read the password of the services' account from standard input
    #[arg(long, conflicts_with_all = ["password_file", "password_env"], help_heading = "Windows")]
    password_stdin: bool,
    /// Windows: read it from the first line of FILE
    #[arg(long, value_name = "FILE", conflicts_with = "password_env", help_heading = "Windows")]
    password_file: Option<PathBuf>,
    /// Windows: take it from the variable NAME
    #[arg(long, value_name = "NAME", help_heading = "Windows")]
    password_env: Option<String>,
    /// Install though people who are no administrators could change what the services run, or where their output goes
    #[arg(long)]
    allow_writable: bool,
}

impl How {
    fn options(&self) -> Options {
        let password = if self.password_stdin {
            Some(PasswordFrom::Stdin)
        } else {
            let file = self.password_file.clone().map(PasswordFrom::File);
            file.or_else(|| self.password_env.clone().map(PasswordFrom::Env))
        };
        Options {
            no_start: self.no_start,
            adopt: self.adopt,
            prune: self.prune,
            wait: self.wait,
            password,
            allow_writable: self.allow_writable,
        }
    }
}

fn prepared(manifest: &Path, how: &How, session: &mut Session) -> Result<Prepared> {
    if how.password_stdin && manifest.as_os_str() == "-" {
        return Err(Error::new(Exit::Usage, "standard input cannot be both the manifest and the password")
            .hint("give the password by `--password-file` or `--password-env`"));
    }
    let read = prepare::read(manifest).map_err(|error| match manifest.to_str() {
        Some(name) if session.receipts.contains_key(name) => error.hint(format!(
            "`{name}` is a service that is installed: `start`, `stop` and `restart` take its name, install the manifest"
        )),
        _ => error,
    })?;
    let kind = session.choice()?.backend;
    let target = session.target(kind)?;
    let facts: Box<dyn Facts> =
        if target.local { Box::new(system::machine::Local::new(target.scope)) } else { Box::new(Foreign) };
    prepare::prepare(&read, target, facts.as_ref())
}

/// Plans without a lock and without changing anything.
pub(super) fn planned(manifest: &Path, how: &How, context: &Context) -> Result<Planned> {
    let mut session = context.session()?;
    let prepared = prepared(manifest, how, &mut session)?;
    let mut planned = install::plan(&mut session, &prepared, &how.options(), &mut progress::new(context))?;
    planned.notes.extend(session.leftover_note());
    Ok(planned)
}

/// Installs.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    if args.dry_run {
        return planned(&args.manifest, &args.how, context).map(|planned| Report::done(views::PlanView(planned)));
    }
    let mut session = context.session()?;
    let prepared = prepared(&args.manifest, &args.how, &mut session)?;
    let mut progress = progress::new(context);
    let command = format!("install {}", prepared.manifest.display());
    let (_lock, notes) = session.lock(&command, &mut progress)?;
    let (planned, effects) = install::install(&mut session, &prepared, &args.how.options(), &mut progress)?;
    let target = (planned.backend, session.layout.scope);
    Ok(Report::done(install::outcome("install", target, &planned, &effects, notes)))
}
