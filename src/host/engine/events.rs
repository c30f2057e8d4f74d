//! What is told of units: kept in the journal before the loop sleeps again, and only then given to hooks.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Semaphore;

use super::calls::Calls;
use super::{Engine, Id, Options, hooks};
use crate::events::{Event, What};
use crate::host::events::journal::Journal;
use crate::host::events::told::{Cue, Occasion, told};
use crate::host::events::{of_shim, of_supervisor};
use crate::host::machine::Current;
use crate::host::wall;

/// Lines that are gathered at most before they are written.
const GATHERED: usize = 16 * 1024;

/// Events on their way.
pub(super) struct Events {
    journal: Option<Journal>,
    lines: Vec<u8>,
    /// For hooks, once their lines are written.
    pub(super) for_hooks: Vec<(Id, Event)>,
    /// Hooks that have something to do.
    pub(super) busy: Rc<Cell<usize>>,
    /// Commands that may run at once.
    pub(super) slots: Rc<Semaphore>,
    /// Webhooks that may be called at once.
    pub(super) calls: Rc<Calls>,
}

impl Events {
    pub(super) fn new(options: &Options) -> Self {
        let layout = &options.layout;
        let path = match (options.serve, options.runtime.file_name().and_then(|name| name.to_str())) {
            (true, _) => Some(of_supervisor(layout)),
            // A shim's folder has the name of its unit.
            (false, Some(unit)) => Some(of_shim(layout, unit)),
            (false, None) => None,
        };
        Self {
            journal: path.filter(|_| options.persist).map(|path| Journal::new(layout, path)),
            lines: Vec::new(),
            for_hooks: Vec::new(),
            busy: Rc::default(),
            slots: Rc::new(Semaphore::new(hooks::AT_ONCE)),
            calls: Rc::new(Calls::new()),
        }
    }

    pub(super) fn all_delivered(&self) -> bool {
        self.for_hooks.is_empty() && self.busy.get() == 0
    }

    fn write(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.append(&self.lines);
        }
        // A burst must not cost its memory for ever.
        self.lines = Vec::new();
    }
}

impl Engine {
    /// Something happened to a unit.
    pub(super) fn happened(&mut self, id: &Id, event: Event) {
        let Some(unit) = self.units.get(id) else { return };
        if self.events.journal.is_some() {
            self.events.lines.extend_from_slice(&event.line());
            if self.events.lines.len() >= GATHERED {
                self.events.write();
            }
        }
        if !unit.service.hooks.event.is_empty() {
            self.events.for_hooks.push((Rc::clone(id), event));
        }
    }

    /// Writes what has gathered, and then tells the hooks.
    pub(super) fn tell_events(&mut self) {
        if !self.events.lines.is_empty() {
            self.events.write();
        }
        for (id, event) in std::mem::take(&mut self.events.for_hooks) {
            self.tell_hooks(&id, event);
        }
    }

    /// What a step of the machine means to people.
    pub(super) fn tell_step(&mut self, id: &Id, cue: Cue, before: Current) {
        let Some(unit) = self.units.get(id) else { return };
        if cue == Cue::Other && before == unit.state.current {
            return;
        }
        let now = Occasion { time: wall::now(), pid: unit.main.and_then(|main| u32::try_from(main.pid).ok()) };
        let mut found = told(id, cue, before, &unit.state, now);
        if let Some(last) = found.last_mut()
            && before.is_ending()
            && !unit.state.current.is_ending()
        {
            last.stop.clone_from(&unit.stop);
        }
        for event in found {
            self.happened(id, event);
        }
    }

    pub(super) fn event(&self, id: &Id, what: What) -> Option<Event> {
        let unit = self.units.get(id)?;
        let mut event = Event::new(wall::now(), id, what, unit.state.word());
        event.pid = unit.main.filter(|_| unit.state.current.has_main()).and_then(|main| u32::try_from(main.pid).ok());
        Some(event)
    }

    pub(super) fn tell_health(&mut self, id: &Id, healthy: bool, why: Option<String>) {
        let what = if healthy { What::Healthy } else { What::Unhealthy };
        if let Some(event) = self.event(id, what) {
            self.happened(id, event.because(why.unwrap_or_default()));
        }
    }

    pub(super) fn tell_reload(&mut self, id: &Id, result: &Result<(), String>) {
        let (what, why) = match result {
            Ok(()) => (What::Reloaded, String::new()),
            Err(why) => (What::ReloadRefused, why.clone()),
        };
        if let Some(event) = self.event(id, what) {
            self.happened(id, event.because(why));
        }
    }

    /// Kept, and told to no hook: it would tell of itself for ever.
    pub(super) fn hook_failed(&mut self, id: &Id, why: String) {
        if let Some(event) = self.event(id, What::HookFailed)
            && self.events.journal.is_some()
        {
            self.events.lines.extend_from_slice(&event.because(why).line());
        }
    }

    pub(super) fn log_trouble(&mut self, id: &Id, trouble: Option<String>) {
        self.dirty = true;
        let what = if trouble.is_some() { What::LogTrouble } else { What::LogRecovered };
        let lost = || {
            let bytes: u64 =
                self.units.get(id)?.pipes.iter().filter_map(|pipe| pipe.record()).map(|log| log.dropped).max()?;
            (bytes > 0).then(|| format!("{bytes} bytes of its output were lost"))
        };
        let why = trouble.or_else(lost).unwrap_or_default();
        if let Some(event) = self.event(id, what) {
            self.happened(id, event.because(why));
        }
    }
}
