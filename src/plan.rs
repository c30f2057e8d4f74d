//! Plans: the ordered steps from what is there to what is wanted. Pure.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::goal::{Goal, Now, RestartIf, Run};
use crate::receipt::Kept;
use crate::report::State;

/// One change of the machine. The list is closed: nothing else is ever done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Stop these units, last first.
    Stop {
        /// In dependency order.
        units: Vec<String>,
    },
    /// Make a folder.
    Folder {
        /// Where.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Write a file or a link, atomically.
    Write {
        /// Where.
        path: PathBuf,
        /// Something is replaced.
        replaces: bool,
    },
    /// Remove a file or a link.
    Remove {
        /// Where.
        path: PathBuf,
    },
    /// Remove a folder if it is empty.
    RemoveFolder {
        /// Where.
        path: PathBuf,
    },
    /// Make changed definitions effective.
    Reload {
        /// The units whose definitions changed.
        units: Vec<String>,
    },
    /// Make these units start at boot.
    Enable {
        /// Which.
        units: Vec<String>,
    },
    /// Make these units not start at boot.
    Disable {
        /// Which.
        units: Vec<String>,
    },
    /// Switch lingering.
    Linger {
        /// On or off.
        on: bool,
    },
    /// Stop and start these units.
    Restart {
        /// In dependency order.
        units: Vec<String>,
    },
    /// Start these units and wait until each is ready.
    Start {
        /// In dependency order.
        units: Vec<String>,
    },
    /// Make the manager forget these units.
    Forget {
        /// Which.
        units: Vec<String>,
    },
}

impl Step {
    /// In words, as `plan` and progress show it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Stop { units } => format!("stop {}", units.join(", ")),
            Self::Folder { path, .. } => format!("make folder {}", path.display()),
            Self::Write { path, replaces: true } => format!("replace {}", path.display()),
            Self::Write { path, replaces: false } => format!("write {}", path.display()),
            Self::Remove { path } => format!("remove {}", path.display()),
            Self::RemoveFolder { path } => format!("remove folder {} if empty", path.display()),
            Self::Reload { units } => format!("reload the manager's definitions of {}", units.join(", ")),
            Self::Enable { units } => format!("enable {}", units.join(", ")),
            Self::Disable { units } => format!("disable {}", units.join(", ")),
            Self::Linger { on: true } => "let this user's services outlive the login (linger on)".to_owned(),
            Self::Linger { on: false } => "end this user's services with the login (linger off)".to_owned(),
            Self::Restart { units } => format!("restart {}", units.join(", ")),
            Self::Start { units } => format!("start {}", units.join(", ")),
            Self::Forget { units } => format!("forget {}", units.join(", ")),
        }
    }
}

/// The steps from `now` to `goal`; none where nothing differs.
///
/// The order keeps a service's downtime short and each moment explicable: stop what goes, change files, load
/// definitions, enable, restart what changed, start what is down, forget what is gone.
#[must_use]
pub fn converge(now: &Now, goal: &Goal) -> Vec<Step> {
    let mut steps = Vec::new();
    let changed: Vec<_> = goal
        .files
        .iter()
        .filter(|(path, wanted)| now.files.get(*path).and_then(Option::as_ref) != wanted.body.as_ref())
        .collect();
    let counts = |path: &PathBuf, file: &crate::goal::FileGoal| match (now.files.get(path), &file.body) {
        (Some(Some(there)), Some(wanted)) => wanted.restarts_from(there),
        _ => true,
    };
    let touched: BTreeSet<&str> =
        changed.iter().filter(|(path, file)| counts(path, file)).filter_map(|(_, file)| file.unit.as_deref()).collect();
    let mut redefined: BTreeSet<&str> =
        changed.iter().filter(|(_, file)| file.definition).filter_map(|(_, file)| file.unit.as_deref()).collect();

    let names = |wanted: &dyn Fn(&crate::goal::UnitGoal) -> bool| -> Vec<String> {
        goal.units.iter().filter(|unit| wanted(unit)).map(|unit| unit.service.id()).collect()
    };
    let is_up = |id: &str| now.units.get(id).is_some_and(crate::backend::UnitState::is_up);
    let satisfied = |id: &str| now.units.get(id).is_some_and(|unit| unit.is_up() || unit.state == State::Completed);
    let outdated = |unit: &crate::goal::UnitGoal| {
        let id = unit.service.id();
        match unit.restart {
            // A template's artifact belongs to all the instances: it carries the service's name.
            RestartIf::FilesChange => touched.contains(id.as_str()) || touched.contains(unit.service.name.as_str()),
            RestartIf::PidIsNot(pid) => now.units.get(&id).is_some_and(|unit| unit.pid != pid),
        }
    };

    // A oneshot that has completed is still something to the manager that must be taken down before it goes.
    let stop = names(&|unit| {
        let id = unit.service.id();
        (unit.run == Run::Down && is_up(&id)) || (!unit.present && satisfied(&id))
    });
    if !stop.is_empty() {
        steps.push(Step::Stop { units: stop });
    }
    // What the manager keeps outside of files must be undone while it still knows the unit.
    let disable = names(&|unit| {
        let enabled = now.units.get(&unit.service.id()).is_some_and(|now| now.enabled);
        enabled && unit.enabled == Some(false)
    });
    if !disable.is_empty() {
        steps.push(Step::Disable { units: disable });
    }
    for (path, mode) in &goal.folders {
        steps.push(Step::Folder { path: path.clone(), mode: *mode });
    }
    for (path, wanted) in &changed {
        let there = now.files.get(*path).and_then(Option::as_ref);
        steps.push(match &wanted.body {
            Some(_) => Step::Write { path: (*path).clone(), replaces: there.is_some() },
            None => Step::Remove { path: (*path).clone() },
        });
    }
    // Where an adopted definition comes back, or a template stays for other instances, the manager goes on knowing it.
    let known_still = |unit: &crate::goal::UnitGoal| {
        let id = unit.service.id();
        goal.files.values().any(|file| file.body.is_some() && file.unit.as_deref() == Some(&id))
            || unit.service.instance.is_some()
                && goal.units.iter().any(|other| other.present && other.service.name == unit.service.name)
    };
    let forget = names(&|unit| {
        let loaded = now.units.get(&unit.service.id()).is_some_and(|unit| unit.loaded);
        !unit.present && loaded && !known_still(unit)
    });
    // A definition that is gone already (somebody deleted it, or a command was killed between removing it and telling
    // the manager) changes no file, and the manager still has it.
    redefined.extend(forget.iter().map(String::as_str));
    if !redefined.is_empty() {
        steps.push(Step::Reload { units: redefined.into_iter().map(str::to_owned).collect() });
    }
    let enable = names(&|unit| {
        let enabled = now.units.get(&unit.service.id()).is_some_and(|now| now.enabled);
        unit.present && !enabled && unit.enabled == Some(true)
    });
    if !enable.is_empty() {
        steps.push(Step::Enable { units: enable });
    }
    let linger = goal.linger.filter(|on| now.linger.is_some_and(|now| now != *on));
    if linger == Some(true) {
        steps.push(Step::Linger { on: true });
    }
    let restart = names(&|unit| unit.present && unit.run != Run::Down && is_up(&unit.service.id()) && outdated(unit));
    if !restart.is_empty() {
        steps.push(Step::Restart { units: restart });
    }
    let start = names(&|unit| {
        let id = unit.service.id();
        let rerun = !is_up(&id) && satisfied(&id) && unit.restart == RestartIf::FilesChange && outdated(unit);
        unit.present && unit.run == Run::Up && (rerun || !satisfied(&id))
    });
    if !start.is_empty() {
        steps.push(Step::Start { units: start });
    }
    if !forget.is_empty() {
        steps.push(Step::Forget { units: forget });
    }
    for path in &goal.emptied {
        steps.push(Step::RemoveFolder { path: path.clone() });
    }
    // Without a login the manager ends with it: nothing can be asked of it any more.
    if linger == Some(false) {
        steps.push(Step::Linger { on: false });
    }
    steps
}

/// A file's change as lines, for people: `-` what goes, `+` what comes, with three lines around each. Content
/// that not everybody may read is not shown.
#[must_use]
pub fn diff(from: Option<&Kept>, to: Option<&Kept>) -> Vec<String> {
    let (old, mut new) = (shown(from), shown(to));
    if from != to && old == new {
        // No digest tells them apart: that of a short secret would betray it.
        new = new.replace(HIDDEN, CHANGED);
    }
    let diff = similar::TextDiff::from_lines(&old, &new);
    diff.grouped_ops(3)
        .iter()
        .flatten()
        .flat_map(|op| diff.iter_changes(op))
        .map(|change| format!("{} {}", change.tag(), change.value().trim_end_matches('\n')))
        .collect()
}

const HIDDEN: &str = ": not shown)";
const CHANGED: &str = ": not shown, and another than before)";

fn shown(kept: Option<&Kept>) -> String {
    match kept {
        None => String::new(),
        Some(Kept::Link { target }) => format!("link to {}\n", target.display()),
        Some(Kept::Scm(config)) => config.to_string(),
        Some(Kept::File { mode, content, .. }) if mode & 0o004 == 0 => {
            format!("(mode {mode:04o}, {} bytes{HIDDEN}\n", content.len())
        }
        Some(Kept::File { content, .. }) => String::from_utf8_lossy(content).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{BackendKind, Target, UnitState};
    use crate::facts::Foreign;
    use crate::goal::{FileGoal, UnitGoal};
    use crate::layout::Scope;
    use crate::manifest::{self, ResolveDirs};
    use crate::service::Service;

    #[test]
    fn of_a_secret_a_plan_tells_that_it_changes_and_nothing_else() {
        let file = |content: &str| Kept::File { content: content.into(), mode: 0o600, uid: 0, gid: 0 };
        let lines = diff(Some(&file("PIN=1234")), Some(&file("PIN=4321")));
        assert_eq!(
            lines,
            ["- (mode 0600, 8 bytes: not shown)", "+ (mode 0600, 8 bytes: not shown, and another than before)"]
        );
        assert!(diff(Some(&file("PIN=1234")), Some(&file("PIN=1234"))).is_empty());
    }

    fn services(names: &[&str]) -> Vec<Service> {
        let text =
            names.iter().fold(String::new(), |text, name| text + "[service." + name + "]\nexec = [\"/bin/true\"]\n");
        let manifest = manifest::parse(text.as_bytes(), "m.toml".as_ref()).unwrap();
        let target = Target::elsewhere(BackendKind::Systemd, Scope::System);
        manifest::resolve(&manifest, &target, &Foreign, &ResolveDirs { manifest_dir: "/".into() }).unwrap()
    }

    fn file(text: &str) -> Kept {
        Kept::File { content: text.into(), mode: 0o644, uid: 0, gid: 0 }
    }

    fn goal_of(units: &[(&str, bool)]) -> Goal {
        let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
        let mut goal = Goal::default();
        for (service, (name, present)) in services(&names).into_iter().zip(units) {
            goal.files.insert(
                format!("/etc/{name}").into(),
                FileGoal { body: present.then(|| file("new")), unit: Some((*name).to_owned()), definition: true },
            );
            let run = if *present { Run::Up } else { Run::Down };
            goal.units.push(UnitGoal {
                service,
                present: *present,
                run,
                enabled: None,
                restart: RestartIf::FilesChange,
            });
        }
        goal
    }

    fn now_of(units: &[(&str, &str, State)]) -> Now {
        let mut now = Now::default();
        for (name, text, state) in units {
            now.files.insert(format!("/etc/{name}").into(), Some(file(text)));
            let state = UnitState {
                unit: (*name).to_owned(),
                loaded: true,
                state: *state,
                wanted: None,
                enabled: true,
                pid: Some(7),
                origin: None,
            };
            now.units.insert((*name).to_owned(), state);
        }
        now
    }

    fn words(steps: &[Step]) -> Vec<String> {
        steps.iter().map(Step::describe).collect()
    }

    #[test]
    fn nothing_to_do_is_no_step() {
        let steps = converge(&now_of(&[("a", "new", State::Running)]), &goal_of(&[("a", true)]));
        assert_eq!(steps, []);
    }

    #[test]
    fn only_what_changed_is_restarted_and_what_is_down_is_started() {
        let now = now_of(&[("a", "new", State::Running), ("b", "old", State::Running), ("c", "new", State::Stopped)]);
        let steps = converge(&now, &goal_of(&[("a", true), ("b", true), ("c", true)]));
        let definitions = "reload the manager's definitions of b";
        assert_eq!(words(&steps), ["replace /etc/b", definitions, "restart b", "start c"]);
    }

    #[test]
    fn what_goes_is_stopped_before_its_file_is_removed_and_forgotten_after() {
        let steps = converge(&now_of(&[("a", "new", State::Running)]), &goal_of(&[("a", false)]));
        assert_eq!(words(&steps), ["stop a", "remove /etc/a", "reload the manager's definitions of a", "forget a"]);
        let steps = converge(&now_of(&[("a", "new", State::Completed)]), &goal_of(&[("a", false)]));
        assert_eq!(words(&steps)[0], "stop a", "a completed oneshot is still held by the manager");
    }

    #[test]
    fn an_adopted_file_that_comes_back_keeps_its_unit() {
        let mut goal = goal_of(&[("a", false)]);
        goal.files.get_mut(std::path::Path::new("/etc/a")).unwrap().body = Some(file("theirs"));
        let steps = converge(&now_of(&[("a", "new", State::Running)]), &goal);
        assert_eq!(words(&steps), ["stop a", "replace /etc/a", "reload the manager's definitions of a"]);
    }

    #[test]
    fn a_rollback_restarts_only_what_was_restarted() {
        let mut goal = goal_of(&[("a", true), ("b", true)]);
        goal.units[0].restart = RestartIf::PidIsNot(Some(7));
        goal.units[1].restart = RestartIf::PidIsNot(Some(6));
        let now = now_of(&[("a", "old", State::Running), ("b", "old", State::Running)]);
        let steps = words(&converge(&now, &goal));
        assert_eq!(steps.last().unwrap(), "restart b");
    }

    #[test]
    fn secrets_are_not_shown_in_a_diff() {
        let secret = |text: &str| Kept::File { content: text.into(), mode: 0o600, uid: 0, gid: 0 };
        let shown = diff(Some(&secret("PASSWORD=one")), Some(&secret("PASSWORD=two"))).join("\n");
        assert!(!shown.contains("PASSWORD") && shown.contains("0600"), "{shown}");
    }
}
