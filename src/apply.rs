//! THE EDGE of the data flow: takes a plan's steps one by one, each marked in the journal before it is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::backend::windows::config::service_at;
use crate::backend::{BackendKind, Deadline, Manager, Progress};
use crate::error::{Error, Result};
use crate::goal::{FileGoal, Goal, Now};
use crate::journal::{self, Direction, Header, Journal, Mark};
use crate::layout::Layout;
use crate::plan::{Step, converge};
use crate::receipt::Kept;
use crate::report::Effect;
use crate::rolling;
use crate::service::Service;
use crate::system::files::{self, Batch};

/// What a command's steps are taken with.
pub struct Edge<'a> {
    /// The scope's folders.
    pub layout: &'a Layout,
    /// The manager of the units.
    pub manager: &'a mut dyn Manager,
    /// Who is told what is waited for.
    pub progress: &'a mut dyn Progress,
    /// By when all must be done.
    pub deadline: Deadline,
    /// What the operator should know of what was done.
    pub notes: Vec<String>,
}

/// What the starts, stops and restarts among the steps did, by unit.
pub type Effects = BTreeMap<String, Effect>;

/// What is there now of all that a goal names.
pub fn look(edge: &mut Edge<'_>, goal: &Goal) -> Result<Now> {
    let mut now = Now::default();
    for (path, file) in &goal.files {
        now.files.insert(path.clone(), there(edge, path, file.body.as_ref())?);
    }
    let units: Vec<Service> = goal.units.iter().map(|unit| unit.service.clone()).collect();
    now.units = edge.manager.observe(&units)?.into_iter().map(|unit| (unit.unit.clone(), unit)).collect();
    if goal.linger.is_some() {
        now.linger = edge.manager.lingers()?;
    }
    Ok(now)
}

/// What is at an artifact's path, in the words of what is wanted there.
pub(crate) fn there(edge: &mut Edge<'_>, path: &Path, wanted: Option<&Kept>) -> Result<Option<Kept>> {
    if service_at(path).is_none() {
        return Ok(Kept::of(&files::look(&edge.layout.on_disk(path))?));
    }
    let wanted = match wanted {
        Some(Kept::Scm(config)) => Some(config.as_ref()),
        _ => None,
    };
    Ok(edge.manager.entry(path, wanted)?.map(|config| Kept::Scm(Box::new(config))))
}

/// What a command writes into the journal.
pub struct Intent<'a> {
    /// The command, for people.
    pub command: String,
    /// Of which backend the units are.
    pub backend: BackendKind,
    /// What is wanted.
    pub goal: &'a Goal,
    /// The machine as it was.
    pub before: &'a Goal,
    /// Where recovery goes when the command is killed.
    pub direction: Direction,
}

/// Takes the steps under a journal. When one fails, the machine is brought back to `before`, and the error says so.
pub fn apply(edge: &mut Edge<'_>, intent: &Intent<'_>, steps: &[Step]) -> Result<Effects> {
    if steps.is_empty() {
        return Ok(Effects::new());
    }
    let header = Header {
        format: journal::FORMAT,
        command: intent.command.clone(),
        pid: std::process::id(),
        backend: intent.backend,
        direction: intent.direction,
        end: match intent.direction {
            Direction::Back => intent.before.clone(),
            Direction::Forward => intent.goal.clone(),
        },
        steps: steps.to_vec(),
    };
    let mut journal = Journal::open(edge.layout, &header)?;
    // The manager may end with lingering, so all that it can tell is seen before that is switched off.
    let (asking, ending) = match steps {
        [asking @ .., ending @ Step::Linger { on: false }] => (asking, Some(ending)),
        _ => (steps, None),
    };
    match take(edge, intent.goal, asking, |index| journal.mark(Mark::Begin(index))) {
        Ok(effects) => match seen(edge, intent.goal) {
            Ok(()) => {
                if ending.is_some() {
                    journal.mark(Mark::Begin(asking.len()))?;
                    linger(edge, false);
                    crate::faults::point("step");
                }
                journal.close()?;
                Ok(effects)
            }
            Err(error) => Err(roll_back(edge, intent, journal, error)),
        },
        Err(error) => Err(roll_back(edge, intent, journal, error)),
    }
}

/// Nothing is claimed that was not seen: looks again, and there must be nothing left to do.
fn seen(edge: &mut Edge<'_>, goal: &Goal) -> Result<()> {
    let now = look(edge, goal)?;
    let left: Vec<Step> = converge(&now, goal)
        .into_iter()
        .filter(|step| !matches!(step, Step::Folder { .. } | Step::RemoveFolder { .. } | Step::Linger { .. }))
        .collect();
    let Some(first) = left.first() else { return Ok(()) };
    let mut error = match first {
        Step::Start { units } | Step::Restart { units } => {
            let states: Vec<String> = units
                .iter()
                .map(|unit| format!("{unit} is {}", now.units.get(unit).map_or("unknown", |state| state.state.name())))
                .collect();
            Error::failed(format!("it did not stay up: {}", states.join(", ")))
        }
        _ => Error::failed("every step was taken, and the machine is still not as planned"),
    };
    for step in &left {
        error = error.detail(format!("still to do: {}", step.describe()));
    }
    Err(error)
}

/// Brings the machine back after a failed step, and tells the failure together with how that went.
fn roll_back(edge: &mut Edge<'_>, intent: &Intent<'_>, mut journal: Journal, error: Error) -> Error {
    let back = (|| {
        // A process that is killed from here on must be rolled back, whatever its command's direction was.
        if intent.direction == Direction::Forward {
            let header = Header {
                format: journal::FORMAT,
                command: intent.command.clone(),
                pid: std::process::id(),
                backend: intent.backend,
                direction: Direction::Back,
                end: intent.before.clone(),
                steps: Vec::new(),
            };
            journal = Journal::open(edge.layout, &header)?;
        }
        journal.mark(Mark::RollingBack)?;
        // The command's own deadline has often just passed; the way back has the services' own.
        edge.deadline = Deadline::after(None);
        reach(edge, intent.before)?;
        journal.close()
    })();
    match back {
        Ok(()) => error.hint("everything is as before: the steps that had been taken were rolled back"),
        Err(second) => error
            .detail(format!("and rolling back failed: {second}"))
            .hint("the journal was kept: the next `daemonctl` command that changes anything rolls back first"),
    }
}

/// Goes from what is there to `goal`, without a journal of its own. It is the way back or the way out of something
/// half done, so the Ctrl-C that led here does not end it too (a second one ends the process, and the next command
/// goes on).
pub fn reach(edge: &mut Edge<'_>, goal: &Goal) -> Result<Effects> {
    let mut deaf = Deaf(edge.progress);
    let mut edge = Edge {
        layout: edge.layout,
        manager: edge.manager,
        progress: &mut deaf,
        deadline: edge.deadline,
        notes: Vec::new(),
    };
    let now = look(&mut edge, goal)?;
    let steps = converge(&now, goal);
    take(&mut edge, goal, &steps, |_| Ok(()))
}

/// Shows what is waited for, and hears no Ctrl-C.
struct Deaf<'a>(&'a mut dyn Progress);

impl Progress for Deaf<'_> {
    fn waiting(&mut self, unit: &str, what: &str) {
        self.0.waiting(unit, what);
    }

    fn interrupted(&self) -> bool {
        false
    }
}

/// Finishes or rolls back what a killed command left. Returns what to tell the operator. The scope's lock is held.
pub fn recover(edge: &mut Edge<'_>, leftover: &journal::Leftover) -> Result<String> {
    let header = &leftover.header;
    if leftover.last == Some(Mark::Committed) {
        journal::clear(edge.layout)?;
        return Ok(format!(
            "`{}` (process {}) had finished but for its journal, which was removed",
            header.command, header.pid
        ));
    }
    // What a write that was cut short left beside its file.
    let files = header.end.files.keys().filter(|path| service_at(path).is_none());
    let folders: BTreeSet<&Path> = files.filter_map(|path| path.parent()).collect();
    for folder in folders {
        files::sweep(&edge.layout.on_disk(folder))?;
    }
    reach(edge, &header.end)
        .map_err(|error| error.context(format!("cannot recover from `{}`, which was cut short", header.command)))?;
    journal::clear(edge.layout)?;
    Ok(match header.direction {
        Direction::Back => {
            format!("`{}` (process {}) had been cut short: it was rolled back first", header.command, header.pid)
        }
        Direction::Forward => {
            format!("`{}` (process {}) had been cut short: it was finished first", header.command, header.pid)
        }
    })
}

fn take(
    edge: &mut Edge<'_>,
    goal: &Goal,
    steps: &[Step],
    mut mark: impl FnMut(usize) -> Result<()>,
) -> Result<Effects> {
    let mut effects = Effects::new();
    let mut batch = Batch::new();
    for (index, step) in steps.iter().enumerate() {
        if edge.progress.interrupted() {
            return Err(Error::failed("interrupted"));
        }
        mark(index)?;
        // Files of one run of steps are synced together, before the manager is told of them.
        if !matches!(step, Step::Write { .. } | Step::Remove { .. } | Step::Folder { .. }) {
            std::mem::take(&mut batch).commit()?;
        }
        let done = one(edge, goal, step, &mut batch, &mut effects);
        edge.notes.extend(edge.manager.take_notes());
        done?;
        crate::faults::point("step");
    }
    batch.commit()?;
    Ok(effects)
}

fn one(edge: &mut Edge<'_>, goal: &Goal, step: &Step, batch: &mut Batch, effects: &mut Effects) -> Result<()> {
    let on_disk = |path: &Path| edge.layout.on_disk(path);
    match step {
        Step::Folder { path, mode } => files::make_folders(&on_disk(path), *mode).map(drop),
        Step::Write { path, .. } | Step::Remove { path } => match goal.files.get(path) {
            Some(FileGoal { body: Some(Kept::File { content, mode, uid, gid }), .. }) => {
                batch.replace(&on_disk(path), content, *mode, Some((*uid, *gid)))
            }
            Some(FileGoal { body: Some(Kept::Link { target }), .. }) => batch.replace_link(&on_disk(path), target),
            Some(FileGoal { body: Some(Kept::Scm(config)), .. }) => {
                edge.notes.extend(edge.manager.put_entry(path, Some(config))?);
                Ok(())
            }
            Some(FileGoal { body: None, .. }) if service_at(path).is_some() => {
                edge.notes.extend(edge.manager.put_entry(path, None)?);
                Ok(())
            }
            Some(FileGoal { body: None, .. }) => batch.remove(&on_disk(path)).map(drop),
            None => Err(Error::failed(format!("the plan has no goal for `{}`", path.display()))),
        },
        Step::RemoveFolder { path } => files::remove_folder_if_empty(&on_disk(path)).map(drop),
        Step::Reload { units } => edge.manager.reload(units),
        Step::Enable { units } => edge.manager.enable(&services(goal, units)),
        Step::Disable { units } => edge.manager.disable(&services(goal, units)),
        Step::Linger { on } => {
            linger(edge, *on);
            Ok(())
        }
        Step::Forget { units } => edge.manager.forget(&services(goal, units)),
        Step::Stop { units } => {
            collect(edge.manager.stop(&services(goal, units), edge.deadline, edge.progress), effects)
        }
        Step::Start { units } => {
            collect(edge.manager.start(&services(goal, units), edge.deadline, edge.progress), effects)
        }
        Step::Restart { units } => {
            let units = services(goal, units);
            collect(rolling::restart(edge.manager, &units, edge.deadline, edge.progress), effects)
        }
    }
}

/// Lingering is the machine's to grant. Where it is not, the services run all the same, as long as the login does, and
/// the operator is told.
fn linger(edge: &mut Edge<'_>, on: bool) {
    let note = match (edge.manager.set_linger(on), on) {
        (Ok(()), on) => edge.manager.linger_note(on),
        (Err(error), true) => {
            let remedy = error.hints().first().map_or_else(String::new, |hint| format!("; {hint}"));
            format!("the services end with the login, since lingering could not be switched on ({error}){remedy}")
        }
        (Err(error), false) => format!("lingering could not be switched off: {error}"),
    };
    edge.notes.push(note);
}

fn services(goal: &Goal, units: &[String]) -> Vec<Service> {
    goal.units.iter().filter(|unit| units.contains(&unit.service.id())).map(|unit| unit.service.clone()).collect()
}

/// Notes what became of each unit; the failures of several are one error.
pub fn collect(results: Vec<crate::backend::UnitResult>, effects: &mut Effects) -> Result<()> {
    let mut failure: Option<Error> = None;
    for (unit, result) in results {
        match result {
            Ok(effect) => {
                effects.insert(unit, effect);
            }
            Err(error) => {
                effects.insert(unit.clone(), Effect::Failed);
                let named = if error.to_string().contains(&unit) { error } else { error.context(&unit) };
                failure = Some(match failure {
                    None => named,
                    Some(first) => first.and(named),
                });
            }
        }
    }
    failure.map_or(Ok(()), Err)
}
