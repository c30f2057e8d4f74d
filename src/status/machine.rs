//! What the machine shows of services beside what their managers say: processes, what they use up, ports, and what a
//! host tells of a service that a manager only sees the host of.

use std::collections::BTreeMap;

use super::Selected;
use crate::backend::BackendKind;
use crate::layout::Layout;
use crate::receipt::Receipt;
use crate::report::{State, Status};
use crate::service::Service;
use crate::system::processes::{Belonging, Look, Usage};

/// What processes were seen to use up, before the manager told which are the services' own.
#[derive(Default)]
pub(super) struct Glanced {
    look: Look,
    usage: BTreeMap<u32, Usage>,
}

impl Glanced {
    pub(super) fn at(selected: &[Selected<'_>]) -> Self {
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
pub(super) struct Machine<'a> {
    pub(super) layout: &'a Layout,
    pub(super) glanced: Glanced,
}

impl Machine<'_> {
    pub(super) fn join(&mut self, status: &mut Status, unit: &Service, receipt: &Receipt, full: bool) {
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
