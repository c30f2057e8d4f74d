//! `daemonctl support [MANIFEST]`: how each key is met, natively, by the host or not at all, and why.

use std::fmt::Write as _;
use std::path::PathBuf;

use anstyle::Style as Paint;
use serde_json::Value;

use super::style::{Cell, Column, GREEN, RED, table};
use super::{Context, render, views};
use crate::backend::{self, BackendKind, Target};
use crate::error::Result;
use crate::exit::Exit;
use crate::layout::Scope;
use crate::prepare;
use crate::report::{Report, Style, View};
use crate::session::backend;
use crate::support::{self, General, Met, Row};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The manifest; - for standard input. Without it: every key on every backend
    #[arg(value_name = "MANIFEST")]
    manifest: Option<PathBuf>,
    /// For this service manager, on whatever machine; without it: this machine's
    #[arg(long, value_name = "NAME", value_parser = super::backends())]
    target: Option<BackendKind>,
}

/// Asks the backends.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let Some(manifest) = &args.manifest else {
        let scope = context.globals.scope().unwrap_or(Scope::System);
        let target = context.globals.target(args.target)?;
        let wanted = |kind: BackendKind| target.is_none_or(|target| target == kind);
        let targets: Vec<_> = backend::ALL
            .iter()
            .filter(|backend| wanted(backend.kind()))
            .map(|backend| (*backend, Target::elsewhere(backend.kind(), scope)))
            .collect();
        if let (Some(kind), true) = (target, targets.is_empty()) {
            backend(kind)?;
        }
        return Ok(Report::done(All(support::for_all(&targets))));
    };
    let read = prepare::read(manifest)?;
    let (target, _) = render::target(context, args.target)?;
    let services = prepare::resolve(&read, &target, &crate::facts::Foreign)?;
    let rows = support::for_manifest(&services, backend(target.backend)?, &target);
    let refused = rows.iter().any(|row| row.met == Met::Refused);
    let report = Report::done(Rows(rows));
    Ok(if refused { report.with_exit(Exit::Manifest) } else { report })
}

const fn paint(met: Met) -> Paint {
    match met {
        Met::Native => GREEN,
        Met::Host => Paint::new(),
        Met::Refused => RED,
    }
}

/// The keys of a manifest.
struct Rows(Vec<Row>);

impl View for Rows {
    fn json(&self) -> Value {
        views::to_json(&self.0)
    }

    fn text(&self, style: &Style) -> String {
        let columns = [
            Column::text("SERVICE"),
            Column::text("KEY"),
            Column::text("LINE"),
            Column::text("MET"),
            Column::text("BY"),
        ];
        let row = |row: &Row| {
            vec![
                Cell::new(row.service.as_str()),
                Cell::new(row.key),
                Cell::new(format!("{}:{}", row.line, row.column)),
                Cell::painted(row.met.name(), paint(row.met)),
                Cell::new(match &row.remedy {
                    Some(remedy) => format!("{}; {remedy}", row.text),
                    None => row.text.clone(),
                }),
            ]
        };
        table(&columns, &self.0.iter().map(row).collect::<Vec<_>>(), style)
    }
}

/// Every key.
struct All(Vec<General>);

impl View for All {
    fn json(&self) -> Value {
        views::to_json(&self.0)
    }

    fn text(&self, style: &Style) -> String {
        let columns = [Column::text("KEY"), Column::text("BACKEND"), Column::text("MET"), Column::text("BY")];
        let mut rows = Vec::new();
        for general in &self.0 {
            for answer in &general.answers {
                rows.push(vec![
                    Cell::new(general.key),
                    Cell::new(answer.backend),
                    Cell::painted(answer.met.name(), paint(answer.met)),
                    Cell::new(answer.text.as_str()),
                ]);
            }
        }
        let mut text = table(&columns, &rows, style);
        if !style.quiet {
            let _ = writeln!(text, "\nSome answers depend on the value: `daemonctl support MANIFEST` tells for yours.");
        }
        text
    }
}
