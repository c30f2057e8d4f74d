//! `daemonctl list`: what is installed, by the receipts alone; no manager is asked.

use schemars::JsonSchema;
use serde::Serialize;

use super::style::{self, Cell, Column};
use super::{Context, views};
use crate::backend::Hosting;
use crate::error::Result;
use crate::layout::Scope;
use crate::report::{Report, Style, View};
use crate::session::in_order;

/// Arguments: none of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// `list --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct List {
    /// Whose services.
    scope: Scope,
    /// Each service, in the order in which they start.
    services: Vec<Listed>,
    /// What the operator should know.
    notes: Vec<String>,
}

/// One service.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Its name.
    name: String,
    /// Its units: itself, or its instances.
    units: Vec<String>,
    /// The backend it is installed on.
    backend: String,
    /// daemonctl's host runs it.
    hosted: bool,
    /// The manifest that owns it.
    manifest: String,
    /// When, RFC 3339.
    installed_at: String,
}

/// Lists.
pub fn run(_: &Args, context: &Context) -> Result<Report> {
    let session = context.session()?;
    let wanted = context.globals.backend();
    let services = in_order(session.receipts.values())
        .into_iter()
        .filter(|receipt| wanted.is_none_or(|backend| receipt.backend == backend))
        .map(|receipt| Listed {
            name: receipt.service.name.clone(),
            units: receipt.service.units().iter().map(crate::service::Service::id).collect(),
            backend: receipt.backend.name().to_owned(),
            hosted: receipt.hosting == Hosting::Hosted,
            manifest: receipt.manifest.display().to_string(),
            installed_at: receipt.installed_at.clone(),
        })
        .collect();
    let notes = session.leftover_note().into_iter().collect();
    Ok(Report::done(List { scope: session.layout.scope, services, notes }))
}

impl View for List {
    fn json(&self) -> serde_json::Value {
        views::to_json(self)
    }

    fn text(&self, style: &Style) -> String {
        const COLUMNS: [Column; 5] = [
            Column::text("NAME"),
            Column::text("BACKEND"),
            Column::text("INSTANCES"),
            Column::text("INSTALLED"),
            Column::text("MANIFEST"),
        ];
        let row = |listed: &Listed| {
            let hosted = if listed.hosted { " (host)" } else { "" };
            let instances = if listed.units == [listed.name.as_str()] {
                String::new()
            } else {
                let instance = |unit: &String| unit.split_once('@').map_or(unit.as_str(), |(_, name)| name).to_owned();
                listed.units.iter().map(instance).collect::<Vec<_>>().join(" ")
            };
            vec![
                Cell::new(listed.name.clone()),
                Cell::new(format!("{}{hosted}", listed.backend)),
                Cell::new(instances),
                Cell::new(style::clock(&listed.installed_at)),
                Cell::new(listed.manifest.clone()),
            ]
        };
        let mut text = match self.services.as_slice() {
            [] if style.quiet => String::new(),
            [] => format!("nothing is installed in {} scope\n", self.scope.name()),
            services => style::table(&COLUMNS, &services.iter().map(row).collect::<Vec<_>>(), style),
        };
        text.push_str(&style::notes(&self.notes, style));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_table_and_says_so_when_it_is_empty() {
        let plain = Style { color: false, width: None, quiet: false };
        let listed = Listed {
            name: "web".to_owned(),
            units: vec!["web@blue".to_owned(), "web@green".to_owned()],
            backend: "systemd".to_owned(),
            hosted: true,
            manifest: "/srv/web.toml".to_owned(),
            installed_at: "some day".to_owned(),
        };
        let list = |services| List { scope: Scope::User, services, notes: vec!["x".to_owned()] };
        assert_eq!(
            list(vec![listed]).text(&plain),
            "NAME  BACKEND         INSTANCES   INSTALLED  MANIFEST\n\
             web   systemd (host)  blue green  some day   /srv/web.toml\n\
             note: x\n"
        );
        assert_eq!(list(Vec::new()).text(&plain), "nothing is installed in user scope\nnote: x\n");
    }
}
