//! `daemonctl check MANIFEST`: everything that can be told without changing anything.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, render, views};
use crate::backend::BackendKind;
use crate::error::Result;
use crate::prepare;
use crate::report::Report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The manifest; - for standard input
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Check for this target instead of this machine (no file or user of this machine is looked at)
    #[arg(long, value_name = "NAME", value_parser = super::backends())]
    target: Option<BackendKind>,
}

/// `check --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Checked {
    /// True: what is wrong comes as an error.
    ok: bool,
    /// The backend it was checked for.
    backend: String,
    /// The names of its services.
    services: Vec<String>,
}

/// Parses, resolves, checks, and asks the backend for each key.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let read = prepare::read(&args.manifest)?;
    let (target, facts) = render::target(context, args.target)?;
    let backend = target.backend;
    let prepared = prepare::prepare(&read, target, facts.as_ref())?;
    let names: Vec<String> = prepared.services.iter().map(|(service, _)| service.name.clone()).collect();
    let text = if context.style.quiet {
        String::new()
    } else {
        format!("{}: ok for {} ({})\n", args.manifest.display(), backend.name(), names.join(", "))
    };
    let json = views::to_json(&Checked { ok: true, backend: backend.name().to_owned(), services: names });
    Ok(Report::done(views::said(text, json)))
}
