//! Specs, intents, and the takeover of what an earlier supervisor left running.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::unit::Unit;
use super::{Engine, Id, Input};
use crate::error::{Error, IoContext, Result};
use crate::host::intent::{self, Intents};
use crate::host::machine::{Current, Event, State, Wanted};
use crate::host::state::{self, Record};
use crate::host::sys;
use crate::service::{Service, Start};
use crate::system::files::{self, Found};

/// How long after the supervisor's start a service with `start = "delayed"` is started.
const DELAY: Duration = Duration::from_secs(30);

/// Marks of the services of one runtime folder start with this.
pub(super) fn mark(runtime: &Path) -> String {
    use std::fmt::Write as _;
    let hash = Sha256::digest(runtime.as_os_str().as_encoded_bytes());
    hash.iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }) + "/"
}

/// Without what only people and other managers need: of a thousand services it would be kept a thousand times.
fn lean(mut service: Service) -> Service {
    service.description = String::new();
    (service.display_name, service.label) = (None, None);
    service.documentation = Vec::new();
    (service.given, service.native) = (BTreeMap::new(), serde_json::Value::Null);
    service
}

impl Engine {
    /// Reads everything at the supervisor's start, and goes on where the last one was.
    pub(super) fn boot(&mut self) -> Result<()> {
        let (specs, broken) = self.read_specs()?;
        self.begin(specs);
        broken.map_or(Ok(()), Err)
    }

    /// Begins with these units, each where an earlier supervisor left it.
    pub(super) fn begin(&mut self, specs: Vec<Service>) {
        let path = state::in_folder(&self.options.runtime);
        let before =
            if self.options.persist && sys::SERVICES_OUTLIVE_HOST { state::read(&path).ok().flatten() } else { None };
        let mut records = before.filter(|file| file.boot == self.boot).map(|file| file.units).unwrap_or_default();
        let mut intents =
            if self.options.serve { intent::kept(&self.options.layout, &self.boot) } else { Intents::new() };
        let enabled = if self.options.serve { self.enabled() } else { BTreeMap::new() };
        for service in specs {
            let id = service.id();
            let (record, kept) = (records.remove(&id), intents.remove(&id));
            // What somebody wanted last in this boot; else what is enabled is wanted up.
            let up = !self.options.serve || enabled.contains_key(&id);
            let wanted = kept.unwrap_or(if up { Wanted::Up } else { Wanted::Down });
            self.add(service, wanted, record);
            if let Some(unit) = self.units.get_mut(id.as_str()) {
                unit.intent = kept;
            }
        }
        self.after_load();
        self.finish_left();
        if self.options.persist {
            self.adopt_unrecorded();
        }
        let ids: BTreeSet<Id> = self.units.keys().cloned().collect();
        for id in self.in_order(&ids) {
            let enabled = enabled.get(&*id).copied();
            self.resume(&id, enabled);
        }
    }

    /// Reads the specs again.
    pub(super) fn load(&mut self) -> Result<()> {
        let (specs, broken) = self.read_specs()?;
        let mut gone: BTreeSet<Id> = self.units.keys().cloned().collect();
        let mut rescheduled = Vec::new();
        for service in specs {
            let id: Id = service.id().into();
            gone.remove(&id);
            match self.units.get_mut(&id) {
                None => self.add(service, Wanted::Down, None),
                Some(unit) => {
                    unit.leaving = false;
                    if unit.service.schedule != service.schedule {
                        rescheduled.push(Rc::clone(&id));
                    }
                    let service = self.commons.take(service);
                    if unit.service != service {
                        unit.service = service;
                        unit.stale = true;
                    }
                }
            }
        }
        if broken.is_none() {
            for id in gone {
                if let Some(unit) = self.units.get_mut(&id) {
                    unit.leaving = true;
                    if unit.state.current.at_rest() {
                        self.forget(&id);
                    }
                }
            }
        }
        self.after_load();
        let unmetered = |unit: &Unit| unit.meter.is_some() && unit.service.thresholds.is_empty();
        let unmetered: Vec<Id> =
            self.units.iter().filter(|(_, unit)| unmetered(unit)).map(|(id, _)| Rc::clone(id)).collect();
        for id in unmetered {
            self.forget_meter(&id);
        }
        self.surveys = super::SURVEYS;
        self.spared_at.get_or_insert_with(|| Instant::now() + super::run::SPARED);
        for id in rescheduled {
            self.schedule_changed(&id);
        }
        self.dirty = true;
        broken.map_or(Ok(()), Err)
    }

    /// Every spec that can be read, and what is wrong with the first that can't.
    fn read_specs(&self) -> Result<(Vec<Service>, Option<Error>)> {
        let folder = self.options.layout.on_disk(&self.options.layout.specs());
        let mut specs = Vec::new();
        let mut broken = None;
        for name in files::list(&folder)? {
            let path = folder.join(&name);
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let read = std::fs::read(&path).doing(format_args!("read `{}`", path.display())).and_then(|text| {
                serde_json::from_slice(&text)
                    .map_err(|error| Error::failed(format!("`{}` is no spec: {error}", path.display())))
            });
            match read {
                Ok(service) => specs.push(lean(service)),
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        Ok((specs, broken))
    }

    pub(super) fn add(&mut self, service: Service, wanted: Wanted, record: Option<Record>) {
        let id: Id = service.id().into();
        let mut unit = Unit::new(self.commons.take(service), State::new(wanted, sys::monotonic()));
        if let Some(record) = record {
            unit.restore(record);
            if let Some(at) = unit.state.deadline {
                self.deadlines.insert((at, Rc::clone(&id)));
            }
        }
        self.empty_since = None;
        // Of this one it is not known.
        self.enabled_at = None;
        self.units.insert(id, Box::new(unit));
    }

    pub(super) fn after_load(&mut self) {
        self.index_dependents();
    }

    pub(super) fn forget(&mut self, id: &Id) {
        self.unwatch_files(id);
        self.forget_runs(id);
        self.forget_meter(id);
        self.touch(id);
        // Its hooks go with it: what happened last is told before.
        self.tell_events();
        if let Some(mut unit) = self.units.remove(id) {
            unit.unwatch();
            unit.abandon();
            if let Some(task) = unit.archiving.take() {
                task.abort();
            }
            if let Some(at) = unit.state.deadline {
                self.deadlines.remove(&(at, Rc::clone(id)));
            }
            for pipe in &unit.pipes {
                pipe.drain();
                pipe.remove();
            }
            if let Some(socket) = &unit.notify {
                socket.remove();
            }
            self.keep_no_more(id, unit.pipes.iter().map(|pipe| pipe.number()));
        }
        self.intents_unkept = true;
        if self.options.end_when_empty && self.units.is_empty() {
            self.empty_since = Some(std::time::Instant::now());
        }
        self.index_dependents();
        self.dirty = true;
    }

    /// A supervisor that was killed between making a process and writing that down left one that only its mark shows.
    fn adopt_unrecorded(&mut self) {
        // Of each run the oldest process: hooks and probes have its mark too.
        let mut marked: BTreeMap<String, BTreeMap<String, sys::Identity>> = BTreeMap::new();
        for (member, mark) in sys::everyone_marked(&self.mark) {
            let unit =
                mark.strip_prefix(&self.mark).and_then(|rest| rest.rsplit_once('/')).map(|(unit, _)| unit.to_owned());
            let leads = member.session == member.pid && self.may_be_its(unit.as_deref(), member.pid);
            if let (Some(unit), Some(who)) = (unit.filter(|_| leads), sys::identify(member.pid)) {
                let oldest = marked.entry(unit).or_default().entry(mark).or_insert(who);
                if who.started < oldest.started {
                    *oldest = who;
                }
            }
        }
        for (id, runs) in marked {
            let Some(unit) = self.units.get_mut(id.as_str()) else { continue };
            if unit.main.is_some_and(sys::lives) {
                continue;
            }
            // What an earlier run left behind is older than the main process that is known to be gone; a whole run, and
            // more than one, may have come and gone since the last time that anything was written down.
            let since = unit.main.map_or(0, |main| main.started);
            let unknown = |(mark, who): &(String, sys::Identity)| **mark != *unit.invocation && who.started >= since;
            if let Some((mark, who)) = runs.into_iter().filter(unknown).max_by_key(|(_, who)| who.started) {
                unit.main = Some(who);
                unit.invocation = mark.into();
                if let Some(at) = unit.state.deadline.take() {
                    self.deadlines.remove(&(at, id.as_str().into()));
                }
                unit.state.current = Current::Spawning;
            }
        }
    }

    /// Whether a process with the mark of a unit can be one of its: whose the account is that it was started as.
    fn may_be_its(&self, id: Option<&str>, pid: i32) -> bool {
        let Some(unit) = id.and_then(|id| self.units.get(id)) else { return false };
        let account = self.account_of(&unit.service).ok();
        sys::is_run_by(pid, account.and_then(|account| account.owner()).map(|owner| owner.0))
    }

    /// `enabled`: how it starts with the supervisor, if it does.
    fn resume(&mut self, id: &Id, enabled: Option<Start>) {
        let Some(unit) = self.units.get(id) else { return };
        let current = unit.state.current;
        let up = !self.options.serve || enabled.is_some();
        let wanted = unit.intent.unwrap_or(if up { Wanted::Up } else { Wanted::Down });
        let fresh = unit.main.is_none() && current == Current::Stopped && unit.state.last.is_none();
        if fresh {
            if wanted == Wanted::Up {
                if unit.intent.is_none() && enabled == Some(Start::Delayed) {
                    let (id, tx) = (Rc::clone(id), self.tx.clone());
                    tokio::task::spawn_local(async move {
                        tokio::time::sleep(DELAY).await;
                        let _ = tx.send(Input::Delayed(id));
                    });
                } else {
                    self.queue.push_back((Rc::clone(id), Event::Start));
                }
            }
            return;
        }
        // One that ended while this process was becoming another program is still to be reaped.
        let lives = |main: sys::Identity| sys::lives(main) || self.socket.is_some() && sys::is_child(main.pid);
        let alive = unit.main.is_some_and(lives) && (current.has_main() || current == Current::Spawning);
        let had = unit.state.wanted;
        if alive {
            self.adopt(id);
        } else if current == Current::Completed && had == Wanted::Up {
            self.watch_files(id);
        } else if !current.at_rest() {
            let _ = self.ensure_pipes(id);
            if let Some(unit) = self.units.get_mut(id) {
                // Whatever is left of it is looked for on the whole machine.
                unit.far = true;
                for pipe in &unit.pipes {
                    pipe.drain();
                }
            }
        }
        self.go_on_with_schedule(id);
        self.go_on_with_meter(id);
        self.queue.push_back((Rc::clone(id), Event::Resume { alive }));
        // The manager above has a new host and waits for its word, though nothing changes for the service.
        self.tell_above(id);
        match (had, wanted) {
            (Wanted::Up, Wanted::Down) => self.queue.push_back((Rc::clone(id), Event::Stop { forced: false })),
            (Wanted::Down, Wanted::Up) => self.queue.push_back((Rc::clone(id), Event::Start)),
            _ => {}
        }
    }

    /// What starts with the supervisor, and how: the markers say so.
    fn enabled(&self) -> BTreeMap<String, Start> {
        let layout = &self.options.layout;
        let markers = files::look_in(&layout.on_disk(&layout.enabled())).unwrap_or_default();
        let of = |(name, found): (OsString, Found)| {
            let Found::File { content, .. } = found else { return None };
            let start = if content.trim_ascii() == b"delayed" { Start::Delayed } else { Start::Boot };
            Some((name.into_string().ok()?, start))
        };
        markers.into_iter().filter_map(of).collect()
    }

    /// Keeps what somebody wants, before it is done.
    pub(super) fn keep_intents(&mut self, ids: &[Id], wanted: Wanted) -> Result<()> {
        for id in ids {
            if let Some(unit) = self.units.get_mut(id)
                && unit.intent.replace(wanted) != Some(wanted)
            {
                self.intents_unkept = true;
            }
        }
        self.write_intents()
    }

    /// Writes what has changed of them since they were last written.
    pub(super) fn write_intents(&mut self) -> Result<()> {
        if self.options.serve && self.intents_unkept {
            let units = self.units.iter().filter_map(|(id, unit)| Some((id.to_string(), unit.intent?))).collect();
            intent::keep(&self.options.layout, units, &self.boot)?;
        }
        self.intents_unkept = false;
        Ok(())
    }
}
