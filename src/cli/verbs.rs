//! `start`, `stop`, `restart`, `reload`, `enable`, `disable`: one file, since they differ in one call.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::time::Duration;

use super::{Context, progress};
use crate::backend::{BackendKind, Deadline, UnitResult, embedded};
use crate::enablement;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::{Effect, Outcome, Report, Sent, UnitOutcome};
use crate::rolling;
use crate::service::Service;
use crate::session::{Selection, Session};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["names", "all"])))]
pub struct Args {
    /// Services, instances (web@1), or manifests whose services are meant
    #[arg(value_name = "NAME|MANIFEST")]
    names: Vec<String>,
    /// All that are installed
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Give up after this time (30s, 5m); without it, each service's own timeouts count
    #[arg(long, value_name = "TIME", value_parser = super::parse_time)]
    wait: Option<Duration>,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the verbs")]
pub enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
    Enable,
    Disable,
}

impl Verb {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

/// Does it to every selected unit, under the scope's lock.
pub fn run(verb: Verb, args: &Args, context: &Context) -> Result<Report> {
    // Not taken apart, as in `status`: the process ends with the answer.
    if args.all {
        return all(verb, args, context);
    }
    let mut session = ManuallyDrop::new(context.session()?);
    let selection = Selection::from_words(&args.names)?;
    // Names that are not installed are told before anything is waited for.
    session.check(&selection)?;
    let mut progress = progress::new(context);
    let words = args.names.join(" ");
    let (_lock, notes) = session.lock(&format!("{} {words}", verb.name()), &mut progress)?;
    these(verb, args, &mut session, &selection, notes, &mut progress)
}

/// All that is installed. Where the supervisor can tell what that is, nobody reads a thousand receipts for it.
fn all(verb: Verb, args: &Args, context: &Context) -> Result<Report> {
    let mut session = ManuallyDrop::new(Session::bare(context.globals.options())?);
    let mut progress = progress::new(context);
    let (_lock, mut notes) = session.lock_bare(&format!("{} --all", verb.name()), &mut progress)?;
    let able = matches!(verb, Verb::Start | Verb::Stop) && !session.offline();
    let Some(names) = embedded::names(&session.layout).filter(|names| able && !names.is_empty()) else {
        session.read_receipts()?;
        return these(verb, args, &mut session, &Selection::All, notes, &mut progress);
    };
    let target = session.unversioned(BackendKind::Embedded)?;
    let up = verb == Verb::Start;
    let acted = embedded::act_on(&target, names, up, Deadline::after(args.wait), &mut progress);
    notes.extend(acted.notes);
    Ok(report(verb, Some(BackendKind::Embedded), &session, acted.results, acted.stops, notes))
}

/// Those that are selected of the receipts, under the lock.
fn these(
    verb: Verb,
    args: &Args,
    session: &mut Session,
    selection: &Selection,
    mut notes: Vec<String>,
    progress: &mut progress::Shown,
) -> Result<Report> {
    let groups = session.select(selection)?;
    if groups.is_empty() {
        // What was named is there, or was told.
        let scope = session.layout.scope.name();
        return Err(Error::new(Exit::NotInstalled, format!("nothing is installed in {scope} scope"))
            .hint("`daemonctl install MANIFEST` installs services"));
    }
    let deadline = Deadline::after(args.wait);
    let mut results: Vec<UnitResult> = Vec::new();
    let mut backend = None;
    let mut stops = BTreeMap::new();
    let began = crate::system::now();
    for (kind, units) in groups {
        backend.get_or_insert(kind);
        results.extend(one(verb, session, kind, &units, deadline, progress)?);
        let manager = session.manager(kind)?;
        notes.extend(manager.take_notes());
        if matches!(verb, Verb::Stop | Verb::Restart) {
            stops.extend(manager.stops(&units, began));
        }
    }
    Ok(report(verb, backend, session, results, stops, notes))
}

fn one(
    verb: Verb,
    session: &mut Session,
    kind: BackendKind,
    units: &[Service],
    deadline: Deadline,
    progress: &mut progress::Shown,
) -> Result<Vec<UnitResult>> {
    Ok(match verb {
        Verb::Start => session.manager(kind)?.start(units, deadline, progress),
        Verb::Stop => session.manager(kind)?.stop(units, deadline, progress),
        Verb::Restart => rolling::restart(session.manager(kind)?, units, deadline, progress),
        Verb::Reload => session.manager(kind)?.reload_units(units, deadline, progress),
        Verb::Enable => enablement::set(session, kind, units, true, progress)?,
        Verb::Disable => enablement::set(session, kind, units, false, progress)?,
    })
}

fn report(
    verb: Verb,
    backend: Option<BackendKind>,
    session: &Session,
    results: Vec<UnitResult>,
    mut stops: BTreeMap<String, Vec<Sent>>,
    notes: Vec<String>,
) -> Report {
    let mut exit = Exit::Done;
    let units = results
        .into_iter()
        .map(|(name, result)| match result {
            Ok(effect) => {
                let acted = matches!(effect, Effect::Stopped | Effect::Restarted);
                let stop = stops.remove(&name).filter(|_| acted).unwrap_or_default();
                UnitOutcome { name, effect, message: ignored(&stop), state: None, pid: None, stop }
            }
            Err(error) => {
                if exit == Exit::Done {
                    exit = error.exit();
                }
                let mut lines = vec![error.to_string()];
                lines.extend(error.details().iter().cloned());
                lines.extend(error.hints().iter().map(|hint| format!("hint: {hint}")));
                let message = Some(lines.join("\n"));
                UnitOutcome { name, effect: Effect::Failed, message, state: None, pid: None, stop: Vec::new() }
            }
        })
        .collect();
    let outcome = Outcome {
        verb: verb.name().to_owned(),
        backend: backend.map_or("", BackendKind::name).to_owned(),
        scope: session.layout.scope,
        units,
        notes,
    };
    Report::done(outcome).with_exit(exit)
}

/// Who did not do what it was asked, in words; None: nobody.
fn ignored(stop: &[Sent]) -> Option<String> {
    let told: Vec<String> = stop
        .iter()
        .enumerate()
        .filter(|(_, sent)| !sent.ignored_by.is_empty())
        .map(|(at, sent)| {
            let pids: Vec<String> = sent.ignored_by.iter().map(ToString::to_string).collect();
            let who = format!("{} was ignored by {}", sent.what, pids.join(", "));
            match stop.get(at + 1) {
                Some(next) => {
                    let after = crate::host::words::duration(Duration::from_millis(next.after_ms));
                    format!("{who}; {} after {after}", next.what)
                }
                None => who,
            }
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ignored_what_is_told_and_nothing_else() {
        let sent = |after_ms, what: &str, ignored_by: &[i32]| Sent {
            after_ms,
            what: what.to_owned(),
            to: vec![7, 8],
            ignored_by: ignored_by.to_vec(),
        };
        assert_eq!(ignored(&[sent(0, "SIGTERM", &[])]), None);
        assert_eq!(
            ignored(&[sent(0, "SIGTERM", &[7, 8]), sent(1500, "SIGKILL", &[])]).as_deref(),
            Some("SIGTERM was ignored by 7, 8; SIGKILL after 1s 500ms")
        );
    }
}
