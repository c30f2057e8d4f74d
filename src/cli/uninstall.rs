//! `daemonctl uninstall NAME...`: the receipt played backwards.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, progress};
use crate::backend::BackendKind;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::install;
use crate::receipt::{self, Receipt};
use crate::report::{Effect, Outcome, Report, UnitOutcome};
use crate::session::{Selection, Session, in_order, near};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["names", "all"])))]
pub struct Args {
    /// Services, or manifests whose services are meant
    #[arg(value_name = "NAME|MANIFEST")]
    names: Vec<String>,
    /// All that are installed
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Remove what was logged, too, and the folders of the services' own with all that is in them
    #[arg(long)]
    purge: bool,
    /// Give up after this time (30s, 5m); without it, each service's own stop timeout counts
    #[arg(long, value_name = "TIME", value_parser = super::parse_time)]
    wait: Option<Duration>,
}

/// Removes.
pub fn run(args: &Args, context: &Context) -> Result<Report> {
    let mut session = context.session()?;
    let selection = Selection::from_words(&args.names)?;
    let mut progress = progress::new(context);
    let command = format!("uninstall {}", if args.all { "--all".to_owned() } else { args.names.join(" ") });
    let (_lock, mut notes) = session.lock(&command, &mut progress)?;
    let mut groups: BTreeMap<BackendKind, Vec<Receipt>> = BTreeMap::new();
    for receipt in in_order(session.receipts.values()).into_iter().filter(|receipt| selection.takes(receipt)) {
        groups.entry(receipt.backend).or_default().push(receipt.clone());
    }
    let mut units = absent(&selection, &groups, &session)?;
    for (kind, receipts) in groups {
        let mut planned = install::plan_removal(&mut session, kind, &receipts, &mut progress)?;
        let effects = install::uninstall(&mut session, &mut planned, command.clone(), &mut progress, args.wait)?;
        if args.purge {
            for folder in install::purge(&session, &receipts)? {
                notes.push(format!("removed {}", folder.display()));
            }
        }
        let done = install::outcome("uninstall", (kind, session.layout.scope), &planned, &effects, Vec::new());
        // That a removed service was stopped first goes without saying.
        units.extend(done.units);
        notes.extend(done.notes);
    }
    session.receipts = receipt::all(&session.layout)?;
    install::prune_host_binaries(&session)?;
    Ok(Report::done(Outcome {
        verb: "uninstall".to_owned(),
        backend: session.choice().map_or_else(|_| String::new(), |choice| choice.backend.name().to_owned()),
        scope: session.layout.scope,
        units,
        notes,
    }))
}

/// What is not installed is absent, which is what was asked for. One instance alone cannot be removed.
fn absent(
    selection: &Selection,
    groups: &BTreeMap<BackendKind, Vec<Receipt>>,
    session: &Session,
) -> Result<Vec<UnitOutcome>> {
    let taken = |name: &str| groups.values().flatten().any(|receipt| receipt.service.name == name);
    let mut units = Vec::new();
    if let Selection::These { names, manifests } = selection {
        for name in names {
            if taken(name) {
                continue;
            }
            if groups.values().flatten().any(|receipt| receipt.service.units().iter().any(|unit| unit.id() == *name)) {
                return Err(Error::new(Exit::Usage, format!("`{name}` is one instance of a service"))
                    .hint("change `instances` in the manifest and install it again, or uninstall the whole service"));
            }
            units.push(absent_unit(name.clone(), near(&session.receipts, name)));
        }
        for manifest in manifests {
            if !groups.values().flatten().any(|receipt| receipt.manifest == *manifest) {
                units.push(absent_unit(manifest.display().to_string(), None));
            }
        }
    }
    Ok(units)
}

fn absent_unit(name: String, message: Option<String>) -> UnitOutcome {
    UnitOutcome { name, effect: Effect::Absent, message, state: None, pid: None, stop: Vec::new() }
}
