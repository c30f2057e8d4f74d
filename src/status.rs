//! `status`: what the managers say, joined with what the machine shows of it.
//!
//! A manager tells states; drift against the receipts, processes, ports and what they use up are the same on every
//! backend and are added here.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::{BackendKind, Detail};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::{Layout, Scope};
use crate::receipt::{self, Fingerprint, Receipt};
use crate::report::{Drift, State, Status};
use crate::service::{RestartPolicy, Service};
use crate::session::{Selection, Session, in_order};
use crate::system::files::{self, Found};
use crate::system::processes::{Belonging, Look, Usage};

/// Up to so many units are looked at in full.
const FULL: usize = 16;

/// `status --json`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Statuses {
    /// The service manager that would run what is installed now.
    pub backend: Option<String>,
    /// How that was told.
    pub backend_why: Option<String>,
    /// Whose services.
    pub scope: Scope,
    /// What exit code the states mean: the worst, in the order 5, 3, 4, 0.
    pub exit: u8,
    /// Each unit; in the order in which they start.
    pub services: Vec<Status>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// The exit code for several services: the worst by the order 5, 3, 4, 0. None at all are not installed.
#[must_use]
pub fn worst(states: impl IntoIterator<Item = State>) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::ServiceFailed => 3,
        Exit::NotRunning => 2,
        Exit::NotInstalled => 1,
        _ => 0,
    };
    states.into_iter().map(State::exit).max_by_key(rank).unwrap_or(Exit::NotInstalled)
}

/// Looks at the units that the words of a command line name; no words: at all.
///
/// A name that is not installed is an answer, not an error.
pub fn look(session: &mut Session, words: &[String], full: bool) -> Result<Statuses> {
    // Out of the session while it is asked for managers, so that hundreds need not be copied.
    let receipts = std::mem::take(&mut session.receipts);
    let looked = look_at(session, &receipts, words, full);
    session.receipts = receipts;
    looked
}

fn look_at(
    session: &mut Session,
    receipts: &BTreeMap<String, Receipt>,
    words: &[String],
    full: bool,
) -> Result<Statuses> {
    let selection = Selection::from_words(words)?;
    let mut notes: Vec<String> = session.leftover_note().into_iter().collect();
    let choice = session.choice().map_err(|error| notes.push(error.to_string())).ok();
    let selected: Vec<Selected<'_>> = in_order(receipts.values())
        .into_iter()
        .filter(|receipt| selection.takes(receipt))
        .flat_map(|receipt| receipt.service.each_unit().map(move |unit| (unit, receipt)))
        .filter(|(unit, receipt)| selection.takes_unit(receipt, unit))
        .collect();
    let missing = missing(session, words, &selected)?;
    let full = full || selected.len() <= FULL;
    let (asked, drifted, glanced) = if full {
        // Files and processes are looked at while the manager answers.
        let layout = session.layout.clone();
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| {
                let mut installed = Files { layout: &layout, manifests: BTreeMap::new() };
                let drifted = selected.iter().map(|(unit, receipt)| installed.drift(unit, receipt)).collect::<Vec<_>>();
                let glanced = Glanced::at(&selected);
                // Read now rather than when the answer is written down.
                let _ = crate::system::local_time(crate::system::now());
                (drifted, glanced)
            });
            let asked = ask(session, &selected, Detail::Full);
            let (drifted, glanced) = seen.join().unwrap_or_default();
            (asked, drifted, glanced)
        })
    } else {
        (ask(session, &selected, Detail::Table), Vec::new(), Glanced::default())
    };
    let mut services = asked?;
    for ((status, mut drifted), (unit, receipt)) in services.iter_mut().zip(drifted).zip(&selected) {
        drifted.entries(session, unit, receipt)?;
        status.drift = Some(drifted.what);
        status.drift_files = drifted.files;
        status.notes.extend(drifted.notes);
    }
    let uncounted = |(status, (unit, _)): (&Status, &Selected<'_>)| {
        status.state == State::Running && status.restarts.is_none() && unit.restart.policy != RestartPolicy::Never
    };
    if !full && services.iter().zip(&selected).any(uncounted) {
        notes.push(
            "restarts of running services are not asked for in a table this long: `--full` shows them".to_owned(),
        );
    }
    let mut machine = Machine { layout: &session.layout, glanced };
    for (status, (unit, receipt)) in services.iter_mut().zip(&selected) {
        machine.join(status, unit, receipt, full);
    }
    let backend = choice.as_ref().map(|choice| choice.backend.name().to_owned());
    for name in missing {
        services.push(Status::not_installed(&name, backend.as_deref().unwrap_or("none"), session.layout.scope));
    }
    let exit = if services.is_empty() { Exit::Done } else { worst(services.iter().map(|status| status.state)) };
    Ok(Statuses {
        backend,
        backend_why: choice.map(|choice| choice.why),
        scope: session.layout.scope,
        exit: exit.code(),
        services,
        notes,
    })
}

/// A unit that is looked at, and the receipt of its service.
type Selected<'a> = (Cow<'a, Service>, &'a Receipt);

/// The names that nothing installed has. A manifest of which nothing is installed is an error, since it is not known
/// what it would be called.
fn missing(session: &Session, words: &[String], selected: &[Selected<'_>]) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let ids: HashSet<String> = selected.iter().map(|(unit, _)| unit.id()).collect();
    let names: HashSet<&str> = selected.iter().map(|(unit, _)| unit.name.as_str()).collect();
    for word in words {
        let known = if crate::session::is_manifest(word) {
            let path = crate::system::absolute(Path::new(word))?;
            if !selected.iter().any(|(_, receipt)| receipt.manifest == path) {
                return Err(Error::new(
                    Exit::NotInstalled,
                    format!("nothing of `{}` is installed in {} scope", path.display(), session.layout.scope.name()),
                )
                .hint("`daemonctl list` shows what is installed"));
            }
            true
        } else {
            ids.contains(word) || names.contains(word.as_str())
        };
        if !known && !missing.contains(word) {
            missing.push(word.clone());
        }
    }
    Ok(missing)
}

/// Asks each manager once.
fn ask(session: &mut Session, selected: &[Selected<'_>], detail: Detail) -> Result<Vec<Status>> {
    let mut groups: BTreeMap<BackendKind, Vec<Service>> = BTreeMap::new();
    for (unit, receipt) in selected {
        groups.entry(receipt.backend).or_default().push(Service::clone(unit));
    }
    let mut answers = BTreeMap::new();
    for (kind, units) in groups {
        answers.insert(kind, session.manager(kind)?.status(&units, detail)?.into_iter());
    }
    let next = |(unit, receipt): &Selected<'_>| {
        let scope = receipt.scope;
        let answer = answers.get_mut(&receipt.backend).and_then(Iterator::next);
        answer.unwrap_or_else(|| Status::not_installed(&unit.id(), receipt.backend.name(), scope))
    };
    Ok(selected.iter().map(next).collect())
}

/// What processes were seen to use up, before the manager told which are the services' own.
#[derive(Default)]
struct Glanced {
    look: Look,
    usage: BTreeMap<u32, Usage>,
}

impl Glanced {
    fn at(selected: &[Selected<'_>]) -> Self {
        let mut look = Look::new();
        let mut usage = BTreeMap::new();
        for (unit, receipt) in selected {
            let main = crate::backend::find(receipt.backend).and_then(|backend| backend.glance(unit, receipt.scope));
            if let Some(main) = main {
                usage.insert(main, look.usage(main, &[], Belonging::Cgroup));
            }
        }
        Self { look, usage }
    }
}

/// What is added to the managers' answers.
struct Machine<'a> {
    layout: &'a Layout,
    glanced: Glanced,
}

impl Machine<'_> {
    fn join(&mut self, status: &mut Status, unit: &Service, receipt: &Receipt, full: bool) {
        status.manifest = Some(receipt.manifest.display().to_string());
        status.hosted = receipt.hosting == crate::backend::Hosting::Hosted;
        if full {
            self.processes(status, receipt.backend);
        }
        if status.hosted && receipt.backend != BackendKind::Embedded {
            self.shim(status, unit);
        }
    }

    /// The manager sees daemonctl's host run; what the service itself does, the host's state file tells.
    fn shim(&self, status: &mut Status, unit: &Service) {
        let host = match status.state {
            State::Failed | State::GaveUp => None,
            _ if status.pid.is_none() => return,
            _ => status.pid,
        };
        let record = match crate::host::state::of_shim(self.layout, &unit.id(), host) {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(error) => {
                status.notes.push(error.to_string());
                return;
            }
        };
        let (manager, enabled, logs) = (status.raw_state.take(), status.enabled, status.logs.take());
        let (restarts, wanted) = (status.restarts.unwrap_or(0), status.wanted);
        record.describe(status, crate::host::sys::monotonic(), crate::system::now(), false);
        status.raw_state = manager;
        status.enabled = enabled;
        status.logs = status.logs.take().or(logs);
        status.wanted = wanted.or(status.wanted);
        status.restarts = status.restarts.map(|own| own + restarts);
        if unit.ready.is_some() {
            status.ready = Some(status.state == State::Running);
        }
    }

    fn processes(&mut self, status: &mut Status, backend: BackendKind) {
        let Some(main) = status.pid else { return };
        let known: Vec<u32> = status.processes.iter().map(|process| process.pid).collect();
        let by = if backend == BackendKind::Systemd { Belonging::Cgroup } else { Belonging::Family };
        let usage = match self.glanced.usage.remove(&main).filter(|_| known.is_empty() && by == Belonging::Cgroup) {
            Some(usage) => usage,
            None => self.glanced.look.usage(main, &known, by),
        };
        if !usage.processes.is_empty() {
            status.processes = usage.processes;
        }
        status.cpu = status.cpu.or(usage.cpu);
        status.memory = status.memory.or(usage.memory);
        status.tasks = status.tasks.or(usage.tasks);
        status.ports = usage.ports;
        status.notes.extend(usage.notes);
    }
}

/// What was installed, as it is now.
struct Files<'a> {
    layout: &'a Layout,
    /// What became of each manifest since: its hash, or why there is none.
    manifests: BTreeMap<PathBuf, Result<Option<String>, String>>,
}

/// How far the machine is from what was installed.
struct Drifted {
    what: Drift,
    files: Vec<String>,
    notes: Vec<String>,
}

impl Drifted {
    /// Adds what the manager says of artifacts that are no files.
    fn entries(&mut self, session: &mut Session, unit: &Service, receipt: &Receipt) -> Result<()> {
        let id = unit.id();
        for installed in receipt.artifacts.iter().filter(|installed| installed.unit.as_ref() == Some(&id)) {
            let Fingerprint::Scm(config) = &installed.what else { continue };
            let path = installed.path.display().to_string();
            match session.manager(receipt.backend)?.entry(&installed.path, Some(config)) {
                Ok(None) => {
                    self.what = Drift::Missing;
                    self.files.insert(0, path);
                }
                Ok(Some(there)) if there != **config => {
                    if self.what != Drift::Missing {
                        self.what = Drift::Artifact;
                    }
                    self.files.push(path);
                    for (field, wanted, there) in config.differences(&there) {
                        self.notes.push(format!("{field}: installed was `{wanted}`, there is `{there}`"));
                    }
                }
                Ok(Some(_)) => {}
                Err(error) => self.notes.push(format!("drift is not fully known: {error}")),
            }
        }
        Ok(())
    }
}

impl Files<'_> {
    /// A file that is gone weighs more than one that was changed, and that more than a changed manifest.
    fn drift(&mut self, unit: &Service, receipt: &Receipt) -> Drifted {
        let id = unit.id();
        let others: Vec<String> =
            receipt.service.each_unit().map(|unit| unit.id()).filter(|other| *other != id).collect();
        let (mut changed, mut gone, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for installed in &receipt.artifacts {
            if installed.unit.as_ref().is_some_and(|unit| others.contains(unit)) {
                continue;
            }
            if matches!(installed.what, Fingerprint::Scm(_)) {
                // The manager tells.
                continue;
            }
            match files::look(&self.layout.on_disk(&installed.path)) {
                Ok(Found::Absent) => gone.push(installed.path.display().to_string()),
                Ok(found) if installed.what.matches(&found) => {}
                Ok(_) => changed.push(installed.path.display().to_string()),
                Err(error) => notes.push(format!("drift is not fully known: {error}")),
            }
        }
        let manifest = match self.manifest(&receipt.manifest) {
            Ok(Some(sha256)) => *sha256 != receipt.manifest_sha256,
            Ok(None) => {
                notes.push(format!("the manifest `{}` is gone", receipt.manifest.display()));
                false
            }
            Err(why) => {
                notes.push(format!("whether the manifest has changed is not known: {why}"));
                false
            }
        };
        let what = match (gone.is_empty(), changed.is_empty(), manifest) {
            (false, _, _) => Drift::Missing,
            (true, false, _) => Drift::Artifact,
            (true, true, true) => Drift::Manifest,
            (true, true, false) => Drift::None,
        };
        Drifted { what, files: gone.into_iter().chain(changed).collect(), notes }
    }

    fn manifest(&mut self, path: &Path) -> &Result<Option<String>, String> {
        self.manifests.entry(path.to_owned()).or_insert_with(|| {
            // As the user named it: a manifest may well be a link.
            match crate::system::read_following(path) {
                Ok(content) => Ok(content.map(|content| receipt::sha256(&content))),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_state_is_the_exit_code() {
        let code = |states: &[State]| worst(states.iter().copied()).code();
        assert_eq!(code(&[State::Running, State::Completed]), 0);
        assert_eq!(code(&[State::Running, State::NotInstalled]), 4);
        assert_eq!(code(&[State::NotInstalled, State::Stopped, State::Running]), 3);
        assert_eq!(code(&[State::Stopped, State::Backoff, State::NotInstalled]), 5);
        assert_eq!(code(&[]), 4);
    }

    /// A receipt of a service with two instances, with its files and its manifest in a folder.
    fn receipt(folder: &Path) -> Receipt {
        use crate::backend::{Hosting, Target};
        use crate::receipt::{FORMAT, Fingerprint, Installed};
        let text = b"[service.web]\nexec = [\"/bin/true\"]\ninstances = [\"a\", \"b\"]\n";
        let manifest = folder.join("web.toml");
        std::fs::write(&manifest, text).unwrap();
        let layout = Layout::unix_system();
        let target = Target {
            backend: BackendKind::Systemd,
            os: "linux",
            scope: Scope::System,
            version: None,
            layout,
            local: false,
            host_binary: PathBuf::new(),
        };
        let parsed = crate::manifest::parse(text, &manifest).unwrap();
        let dirs = crate::manifest::ResolveDirs { manifest_dir: "/srv".into() };
        let service = crate::manifest::resolve(&parsed, &target, &crate::facts::Foreign, &dirs).unwrap().remove(0);
        let installed = |name: &str, unit: Option<&str>| {
            files::replace(&folder.join(name), name.as_bytes(), 0o644, None).unwrap();
            Installed {
                path: folder.join(name),
                what: Fingerprint::File { sha256: receipt::sha256(name.as_bytes()), mode: 0o644 },
                unit: unit.map(str::to_owned),
                definition: true,
                replaced: None,
            }
        };
        Receipt {
            format: FORMAT,
            service,
            manifest,
            manifest_sha256: receipt::sha256(text),
            backend: BackendKind::Systemd,
            scope: Scope::System,
            hosting: Hosting::Native,
            host_binary: None,
            artifacts: vec![
                installed("shared", None),
                installed("of-a", Some("web@a")),
                installed("of-b", Some("web@b")),
            ],
            folders: Vec::new(),
            enabled: None,
            linger: false,
            installed_at: "2026-01-01T00:00:00Z".to_owned(),
            daemonctl: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn an_answer_about_one_service_reads_no_more_than_its_order_takes() {
        use crate::service::Dependency;
        let root = tempfile::tempdir().unwrap();
        let layout = crate::system::machine::layout(Scope::System, Some(root.path().to_owned())).unwrap();
        let folder = layout.on_disk(&layout.receipts());
        files::make_folders(&folder, 0o755).unwrap();
        let example = receipt(root.path());
        for (name, before) in [("a", "b"), ("b", "c"), ("c", "a"), ("d", "missing")] {
            let mut receipt = example.clone();
            receipt.service.name = name.to_owned();
            receipt.service.requires = vec![Dependency::Service(before.to_owned())];
            files::replace(&folder.join(format!("{name}.json")), &receipt.to_bytes(), 0o644, None).unwrap();
        }
        files::replace(&folder.join("broken.json"), b"{", 0o644, None).unwrap();
        let read = |names: &[&str]| -> Vec<String> {
            receipt::of(&layout, names.iter().copied()).unwrap().into_keys().collect()
        };
        assert_eq!(read(&["a"]), ["a", "b", "c"]);
        assert_eq!(read(&["d", "nowhere", "", "..", "x/y", &"n".repeat(300)]), ["d"]);
        assert!(receipt::of(&layout, ["broken"]).is_err());
    }

    fn drift_of_a(receipt: &Receipt) -> (Option<Drift>, Vec<String>, Vec<String>) {
        let layout = Layout::unix_system();
        let mut installed = Files { layout: &layout, manifests: BTreeMap::new() };
        let drifted = installed.drift(&receipt.service.units()[0], receipt);
        (Some(drifted.what), drifted.files, drifted.notes)
    }

    #[test]
    fn drift_is_the_worst_of_what_changed() {
        let folder = tempfile::tempdir().unwrap();
        let receipt = receipt(folder.path());
        let at = |name: &str| folder.path().join(name);
        let path = |name: &str| at(name).display().to_string();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::None), vec![], vec![]));
        // Another instance's file is none of its business.
        std::fs::remove_file(at("of-b")).unwrap();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::None), vec![], vec![]));
        std::fs::write(at("web.toml"), "changed").unwrap();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::Manifest), vec![], vec![]));
        std::fs::write(at("shared"), "changed").unwrap();
        assert_eq!(drift_of_a(&receipt), (Some(Drift::Artifact), vec![path("shared")], vec![]));
        std::fs::remove_file(at("of-a")).unwrap();
        std::fs::remove_file(at("web.toml")).unwrap();
        let (drift, drifted, notes) = drift_of_a(&receipt);
        assert_eq!((drift, drifted), (Some(Drift::Missing), vec![path("of-a"), path("shared")]));
        assert!(notes[0].ends_with("web.toml` is gone"), "{notes:?}");
    }
}
