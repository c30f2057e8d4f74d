//! The contract of [`Manager`], kept with what a [`Link`] can do.

use std::collections::BTreeMap;

use super::link::{Ask, Link};
use super::{journal, linger, state, status, verbs, verify};
use crate::backend::systemd::{files, names};
use crate::backend::{Artifact, Deadline, Detail, Manager, Progress, Target, UnitResult, UnitState};
use crate::error::Result;
use crate::layout::Scope;
use crate::logs::{LogQuery, Sink};
use crate::report::{Sent, State, Status};
use crate::service::{Kind, Service};

/// See the module.
pub(super) struct Systemd {
    pub(super) link: Box<dyn Link>,
    pub(super) target: Target,
    /// For the operator.
    notes: Vec<String>,
}

impl Systemd {
    pub(super) fn new(link: Box<dyn Link>, target: Target) -> Self {
        Self { link, target, notes: Vec::new() }
    }

    /// Whether each unit starts at boot. The link that install makes is looked for first: it answers for nearly
    /// every unit, and the manager may not have read it yet.
    pub(super) fn enabled(&mut self, units: &[Service]) -> Result<Vec<bool>> {
        let folder = files::unit_dir(&self.target);
        let wants = match self.target.scope {
            Scope::System => "multi-user.target.wants",
            Scope::User => "default.target.wants",
        };
        let mut enabled = Vec::with_capacity(units.len());
        let mut unsure = Vec::new();
        for (at, unit) in units.iter().enumerate() {
            let timer = names::has_timer(unit);
            let name = names::unit(&unit.id(), if timer { "timer" } else { "service" });
            let link = folder.join(if timer { "timers.target.wants" } else { wants }).join(&name);
            let found = link.symlink_metadata().is_ok();
            enabled.push(found);
            if !found {
                unsure.push((at, name));
            }
        }
        let asked: Vec<String> = unsure.iter().map(|(_, name)| name.clone()).collect();
        for ((at, _), state) in unsure.iter().zip(self.link.file_states(&asked)?) {
            enabled[*at] = matches!(state.as_deref(), Some("enabled" | "enabled-runtime"));
        }
        Ok(enabled)
    }
}

impl Manager for Systemd {
    fn verify(&mut self, files: &[Artifact]) -> Result<()> {
        if self.target.version.is_none() {
            self.target.version = self.link.version()?;
        }
        self.notes.extend(verify::verify(files, &self.target)?);
        Ok(())
    }

    fn stranger(&mut self, name: &str) -> Option<String> {
        let unit = names::unit(name, "service");
        let listed = self.link.list(std::slice::from_ref(&unit)).ok()?.pop()?;
        listed.is_loaded().then(|| {
            format!(
                "systemd has a unit `{unit}` ({}), which daemonctl did not install: `systemctl` acts on it",
                listed.active
            )
        })
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn observe(&mut self, units: &[Service]) -> Result<Vec<UnitState>> {
        let services: Vec<String> = units.iter().map(|unit| names::unit(&unit.id(), "service")).collect();
        let timers: Vec<String> = units.iter().map(timer_of).collect();
        let asked: Vec<String> =
            services.iter().chain(timers.iter().filter(|name| !name.is_empty())).cloned().collect();
        let mut listed = self.link.list(&asked)?;
        let timer_rows = listed.split_off(services.len());
        let loaded: Vec<usize> = (0..units.len()).filter(|at| listed[*at].is_loaded()).collect();
        let names: Vec<String> = loaded.iter().map(|at| services[*at].clone()).collect();
        let mut facts: Vec<super::link::Facts> = units.iter().map(|_| super::link::Facts::default()).collect();
        for (at, fact) in loaded.iter().zip(self.link.facts(&names, Ask::Origin)?) {
            facts[*at] = fact;
        }
        let enabled = self.enabled(units)?;
        let mut timer_rows = timer_rows.into_iter();
        let mut states = Vec::with_capacity(units.len());
        for (at, unit) in units.iter().enumerate() {
            let mut fact = std::mem::take(&mut facts[at]);
            fact.listed = std::mem::take(&mut listed[at]);
            let timer = if timers[at].is_empty() { None } else { timer_rows.next() };
            let armed = unit.kind == Kind::Task && timer.as_ref().is_some_and(|timer| timer.active == "active");
            let mut state = state::state(unit, &fact, None);
            // However the last run went, an armed task is up: stopping it means something.
            if armed && matches!(state, State::Stopped | State::Failed | State::GaveUp) {
                state = State::Running;
            }
            states.push(UnitState {
                unit: unit.id(),
                loaded: fact.listed.is_loaded(),
                state,
                wanted: state::wanted(state),
                enabled: enabled[at],
                pid: fact.main_pid,
                origin: fact.fragment,
            });
        }
        Ok(states)
    }

    fn stops(&mut self, units: &[Service], since: jiff::Timestamp) -> BTreeMap<String, Vec<Sent>> {
        let ids: Vec<String> = units.iter().map(Service::id).collect();
        crate::host::events::read::stops(&self.target.layout, &ids, since)
    }

    fn status(&mut self, units: &[Service], detail: Detail) -> Result<Vec<Status>> {
        status::status(self, units, detail)
    }

    fn reload(&mut self, changed: &[String]) -> Result<()> {
        // A definition that is not in memory is read when it is first needed; reading everything anew costs the more
        // the more units there are.
        let mut patterns = Vec::new();
        for id in changed {
            for suffix in ["service", "timer", "path"] {
                patterns.push(names::unit(id, suffix));
                if !id.contains('@') {
                    patterns.push(format!("{id}@*.{suffix}"));
                }
            }
            patterns.push(format!("{id}:watch*.service"));
        }
        if self.link.holds(&patterns)? { self.link.reload() } else { Ok(()) }
    }

    fn enable(&mut self, units: &[Service]) -> Result<()> {
        let names: Vec<String> = units.iter().map(boot_unit).collect();
        if names.is_empty() { Ok(()) } else { self.link.enable(&names) }
    }

    fn disable(&mut self, units: &[Service]) -> Result<()> {
        let names: Vec<String> = units.iter().map(boot_unit).collect();
        if names.is_empty() { Ok(()) } else { self.link.disable(&names) }
    }

    fn start(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::or_all(units, verbs::start(self, units, deadline, progress))
    }

    fn stop(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::or_all(units, verbs::stop(self, units, deadline, progress))
    }

    fn restart(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::or_all(units, verbs::restart(self, units, deadline, progress))
    }

    fn reload_units(&mut self, units: &[Service], deadline: Deadline, progress: &mut dyn Progress) -> Vec<UnitResult> {
        verbs::or_all(units, verbs::reload(self, units, deadline, progress))
    }

    fn forget(&mut self, units: &[Service]) -> Result<()> {
        let names: Vec<String> = units
            .iter()
            .flat_map(|unit| {
                let timer = Some(timer_of(unit)).filter(|name| !name.is_empty());
                std::iter::once(names::unit(&unit.id(), "service")).chain(timer)
            })
            .collect();
        self.link.reset_failed(&names)
    }

    fn lingers(&mut self) -> Result<Option<bool>> {
        match self.target.scope {
            Scope::System => Ok(None),
            Scope::User => linger::lingers().map(Some),
        }
    }

    fn set_linger(&mut self, on: bool) -> Result<()> {
        linger::set(on)
    }

    fn logs(&mut self, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
        journal::logs(units, self.target.scope, query, sink)
    }
}

/// The timer of a unit; empty: it has none.
pub(super) fn timer_of(unit: &Service) -> String {
    if names::has_timer(unit) { names::unit(&unit.id(), "timer") } else { String::new() }
}

/// The unit that `[Install]` is in.
fn boot_unit(unit: &Service) -> String {
    names::unit(&unit.id(), if names::has_timer(unit) { "timer" } else { "service" })
}
