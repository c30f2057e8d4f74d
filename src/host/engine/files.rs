//! Watched files: from the kernel's events to the action of `watch`.
//!
//! A unit's files are watched from just before its program starts, which then reads them, until it is at rest. An oneshot
//! that has completed is still up, and watched on. A change that its check refuses, or whose action fails, is told by
//! `status` until a later one is taken over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::{Engine, Id, Input};
use crate::host::machine::{Current, Event, Moment, Wanted};
use crate::host::sys::{self, Touch, Watcher, What};
use crate::host::watch::glob::Pattern;
use crate::host::watch::{Scan, scan};
use crate::service::WatchAction;

/// A check or command after a change may take so long.
const COMMAND: Duration = Duration::from_secs(60);

/// Files that change all the time put off the action by this many debounce times at most.
const PATIENCE: u32 = 10;

/// The one watcher of the engine, made when the first unit needs it.
#[derive(Default)]
pub(super) struct Watches {
    watcher: Option<Rc<Watcher>>,
    reader: Option<AbortHandle>,
    /// Each watch, and who needs it, with the folder (or file, see `sys::WATCHES_EACH_FILE`) by the name that they know it
    /// by.
    folders: HashMap<i32, BTreeSet<(Id, PathBuf)>>,
    /// When whose files have been quiet for long enough.
    pub(super) due: BTreeSet<(Moment, Id)>,
}

impl Drop for Watches {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

/// What is kept of a unit's watch.
#[derive(Default)]
pub(super) struct Watched {
    patterns: Vec<Pattern>,
    folders: BTreeMap<PathBuf, i32>,
    seen: Scan,
    /// Files that were written, which may leave length and time as they were.
    written: BTreeSet<PathBuf>,
    /// When the changes that are not looked at yet began, and when they are looked at.
    began: Option<Moment>,
    due: Option<Moment>,
    /// What changed, while the action for it runs.
    busy: Option<String>,
    /// It changed again meanwhile, or before the service was up.
    again: Option<String>,
    /// A change that was not taken over.
    refused: Option<String>,
    unseen: Option<String>,
}

impl Watched {
    /// What `status` says of it.
    pub(super) fn notes(&self) -> Vec<String> {
        self.refused.iter().chain(&self.unseen).cloned().collect()
    }
}

impl Watches {
    fn open(&mut self, tx: &tokio::sync::mpsc::UnboundedSender<Input>) -> std::io::Result<Rc<Watcher>> {
        if let Some(watcher) = &self.watcher {
            return Ok(Rc::clone(watcher));
        }
        let watcher = Rc::new(Watcher::new()?);
        let (reading, tx) = (Rc::clone(&watcher), tx.clone());
        let task = tokio::task::spawn_local(async move {
            while let Ok(touches) = reading.next().await {
                drop(tx.send(Input::Touched(touches)));
            }
        });
        self.reader = Some(task.abort_handle());
        self.watcher = Some(Rc::clone(&watcher));
        Ok(watcher)
    }

    fn leave(&mut self, id: &Id, folder: PathBuf, watch: i32) {
        let Some(users) = self.folders.get_mut(&watch) else { return };
        users.remove(&(Rc::clone(id), folder));
        if users.is_empty() {
            self.folders.remove(&watch);
            if let Some(watcher) = &self.watcher {
                watcher.remove(watch);
            }
        }
    }
}

impl Engine {
    /// Watches a unit's files from now on; what changed before is no news to the program that starts now.
    pub(super) fn watch_files(&mut self, id: &Id) {
        self.unwatch_files(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        let Some(watch) = &unit.service.watch else { return };
        let patterns = watch.paths.iter().map(|path| Pattern::new(path)).collect();
        unit.watched = Some(Box::new(Watched { patterns, ..Watched::default() }));
        self.look(id);
    }

    pub(super) fn unwatch_files(&mut self, id: &Id) {
        let Some(watched) = self.units.get_mut(id).and_then(|unit| unit.watched.take()) else { return };
        if let Some(at) = watched.due {
            self.watches.due.remove(&(at, Rc::clone(id)));
        }
        for (folder, watch) in watched.folders {
            self.watches.leave(id, folder, watch);
        }
    }

    /// Looks at all that a unit watches. True: it is not what it was.
    fn look(&mut self, id: &Id) -> Vec<PathBuf> {
        let opened = self.watches.open(&self.tx);
        let Some(watched) = self.units.get_mut(id).and_then(|unit| unit.watched.as_mut()) else { return Vec::new() };
        let source = match opened {
            Ok(source) => source,
            Err(error) => {
                watched.unseen = Some(format!("its files are not watched: {error}"));
                return Vec::new();
            }
        };
        let mut folders = BTreeMap::new();
        let found = scan(&watched.patterns, sys::WATCHES_EACH_FILE, &mut |folder| {
            if !folders.contains_key(folder) {
                folders.insert(folder.to_owned(), source.add(folder)?);
            }
            Ok(())
        });
        let mut changed = found.changed_since(&watched.seen);
        changed.extend(std::mem::take(&mut watched.written).into_iter().filter(|path| found.prints.contains_key(path)));
        watched.unseen.clone_from(&found.trouble);
        watched.seen = found;
        let before = std::mem::replace(&mut watched.folders, folders.clone());
        for (folder, watch) in &folders {
            self.watches.folders.entry(*watch).or_default().insert((Rc::clone(id), folder.clone()));
        }
        for (folder, watch) in before {
            if folders.get(&folder) != Some(&watch) {
                self.watches.leave(id, folder, watch);
            }
        }
        changed.sort();
        changed.dedup();
        changed
    }

    /// The kernel's events: whom they concern looks when it has been quiet for the debounce time.
    pub(super) fn touched(&mut self, touches: Vec<Touch>) {
        let now = sys::monotonic();
        for touch in touches {
            let users: BTreeSet<(Id, PathBuf)> = match touch.watch {
                Some(watch) if touch.what == What::Over => self.watches.folders.remove(&watch).unwrap_or_default(),
                Some(watch) => self.watches.folders.get(&watch).cloned().unwrap_or_default(),
                // Events were lost: everybody looks.
                None => self.watches.folders.values().flatten().cloned().collect(),
            };
            for (id, folder) in users {
                let path = touch.name.as_ref().map_or_else(|| folder.clone(), |name| folder.join(name));
                self.hint(&id, path, touch.what, now);
            }
        }
    }

    fn hint(&mut self, id: &Id, path: PathBuf, what: What, now: Moment) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let (Some(watched), Some(watch)) = (&mut unit.watched, &unit.service.watch) else { return };
        match what {
            // It is open for writing still; its closing is an event of its own.
            What::Created if sys::is_single_file(&path) => return,
            What::Written => drop(watched.written.insert(path)),
            _ => {}
        }
        let began = *watched.began.get_or_insert(now);
        let due = (now + watch.debounce).min(began + watch.debounce * PATIENCE);
        if let Some(before) = watched.due.replace(due) {
            self.watches.due.remove(&(before, Rc::clone(id)));
        }
        self.watches.due.insert((due, Rc::clone(id)));
    }

    /// Looks at the files of those units for which the time has come.
    pub(super) fn look_at_files(&mut self, now: Moment) {
        while let Some((at, id)) = self.watches.due.first().cloned().filter(|(at, _)| *at <= now) {
            self.watches.due.remove(&(at, Rc::clone(&id)));
            if let Some(watched) = self.units.get_mut(&id).and_then(|unit| unit.watched.as_mut()) {
                (watched.began, watched.due) = (None, None);
            }
            let changed = self.look(&id);
            self.dirty = true;
            if let Some(first) = changed.first() {
                let more = if changed.len() > 1 { format!(" and {} more", changed.len() - 1) } else { String::new() };
                self.files_changed(&id, format!("`{}`{more}", first.display()));
            }
        }
    }

    /// Carries out the action of a unit's `watch`.
    fn files_changed(&mut self, id: &Id, what: String) {
        let setting = self.setting(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        let (Some(watched), Some(watch)) = (&mut unit.watched, &unit.service.watch) else { return };
        let current = unit.state.current;
        if unit.state.wanted == Wanted::Down || current.is_ending() {
            return;
        }
        if watched.busy.is_some() {
            watched.again = Some(what);
            return;
        }
        let started = matches!(current, Current::Unready | Current::PostStart | Current::Running);
        let check = unit.service.reload.as_ref().and_then(|reload| reload.check.clone());
        let command = match &watch.action {
            WatchAction::Reload if current == Current::Running => {
                watched.busy = Some(what);
                return self.queue.push_back((Rc::clone(id), Event::Reload));
            }
            // It may have read its files already, and can't be told before it is up.
            WatchAction::Reload if started => return watched.again = Some(what),
            WatchAction::Restart if started || matches!(current, Current::Backoff | Current::Completed) => {
                let Some(check) = check else {
                    return self.queue.push_back((Rc::clone(id), Event::Restart));
                };
                check
            }
            WatchAction::Command(command) if started || current == Current::Completed => command.clone(),
            // What has not started yet reads its files then.
            WatchAction::Reload | WatchAction::Restart | WatchAction::Command(_) => return,
        };
        let Some(setting) = setting else { return };
        watched.busy = Some(what);
        let (commands, name, run, tx) =
            (self.commands.clone(), Rc::clone(id), Rc::clone(&unit.invocation), self.tx.clone());
        tokio::task::spawn_local(async move {
            let result = commands.run(&command, &setting, COMMAND).await;
            let _ = tx.send(Input::Checked(name, run, result));
        });
    }

    /// The check before a restart, or the command, is done.
    pub(super) fn checked(&mut self, id: &Id, run: &str, result: Result<(), String>) {
        let Some(unit) = self.units.get(id).filter(|unit| *unit.invocation == *run) else { return };
        let restart = unit.service.watch.as_ref().is_some_and(|watch| watch.action == WatchAction::Restart);
        if result.is_err() {
            self.tell_reload(id, &result);
        }
        let Some(unit) = self.units.get(id) else { return };
        if restart && result.is_ok() {
            if unit.state.wanted == Wanted::Up && !unit.state.current.is_ending() {
                self.queue.push_back((Rc::clone(id), Event::Restart));
            }
        } else if restart {
            self.change_done(id, result.map_err(|why| format!("its check failed: {why}")));
        } else {
            self.change_done(id, result);
        }
    }

    /// The action for a change is done, well or not.
    pub(super) fn change_done(&mut self, id: &Id, result: Result<(), String>) {
        let Some(watched) = self.units.get_mut(id).and_then(|unit| unit.watched.as_mut()) else { return };
        let what = watched.busy.take();
        match (result, what) {
            // A reload by hand takes over whatever was refused before.
            (Ok(()), _) => watched.refused = None,
            (Err(why), Some(what)) => {
                watched.refused = Some(format!("the change of {what} was not taken over: {why}"));
            }
            (Err(_), None) => {}
        }
        self.dirty = true;
        self.change_again(id);
    }

    /// A change that came while nothing could be done about it.
    fn change_again(&mut self, id: &Id) {
        let again =
            self.units.get_mut(id).and_then(|unit| unit.watched.as_mut()).and_then(|watched| watched.again.take());
        if let Some(what) = again {
            self.files_changed(id, what);
        }
    }

    /// A unit went from one state to another: is its watch over, or can a change be told to it now?
    pub(super) fn follow_watch(&mut self, id: &Id, before: Current) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let current = unit.state.current;
        let Some(watched) = &mut unit.watched else { return };
        let up = current == Current::Completed && unit.state.wanted == Wanted::Up;
        if current.at_rest() && !up {
            self.unwatch_files(id);
        } else if before == Current::Running {
            (watched.busy, watched.again) = (None, None);
        } else if current == Current::Running {
            self.change_again(id);
        }
    }
}
