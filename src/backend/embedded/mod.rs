//! embedded: daemonctl's own supervisor, where no service manager runs the machine, or where one is not wanted.
//!
//! Pure here: `answer` says which keys it meets, `render` writes the spec of each unit and the marker that it starts with the
//! supervisor. `live` talks to the supervisor (`crate::host`), and starts it where none runs.

use std::collections::BTreeMap;

use super::{
    Answer, Artifact, Backend, BackendKind, Deadline, Detection, Hosting, Manager, Progress, Target, UnitResult,
};
use crate::error::Result;
use crate::key::Key;
use crate::layout::Scope;
use crate::report::Sent;
use crate::service::Service;

mod answer;
mod live;
#[cfg(windows)]
mod logon;
mod logs;
mod merge;
mod render;
#[cfg(test)]
mod tests;
mod verbs;

/// Reads what services wrote into files of their own, all generations, whichever manager runs them.
pub fn file_logs(
    layout: &crate::layout::Layout,
    units: &[Service],
    query: &crate::logs::LogQuery,
    sink: &mut dyn crate::logs::Sink,
) -> Result<()> {
    logs::logs(layout, units, query, sink)
}

/// The last lines that a service wrote into files of its own.
#[cfg(unix)]
pub(in crate::backend) fn last_lines(layout: &crate::layout::Layout, unit: &Service, count: usize) -> Vec<String> {
    logs::last_lines(layout, unit, count)
}

/// All units of a scope, for a table, where that can be told without reading their receipts.
pub fn table(layout: &crate::layout::Layout) -> Result<Option<Vec<crate::report::Status>>> {
    live::table(layout)
}

/// What became of units that were started or stopped by their names.
pub struct Acted {
    /// Of each.
    pub results: Vec<UnitResult>,
    /// Who was sent what.
    pub stops: BTreeMap<String, Vec<Sent>>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// The names of all units of a scope, where a living supervisor has seen that they are all that is installed there, and
/// that none has instances or depends on another.
#[must_use]
pub fn names(layout: &crate::layout::Layout) -> Option<Vec<String>> {
    live::names(layout)
}

/// Starts or stops those.
pub fn act_on(target: &Target, names: Vec<String>, up: bool, deadline: Deadline, progress: &mut dyn Progress) -> Acted {
    live::act_on(target, names, up, deadline, progress)
}

/// The backend.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Backend for Embedded {
    fn kind(&self) -> BackendKind {
        BackendKind::Embedded
    }

    fn answer(&self, key: Key, service: Option<&Service>, target: &Target) -> Answer {
        answer::answer(key, service, target)
    }

    fn always_hosts(&self) -> bool {
        true
    }

    fn native_names(&self, service: &Service, _: &Target) -> Result<Vec<String>> {
        Ok(service.units().iter().map(Service::id).collect())
    }

    fn render(&self, service: &Service, _: Hosting, target: &Target) -> Result<Vec<Artifact>> {
        Ok(render::artifacts(service, target))
    }

    fn detect(&self, _: Scope) -> Detection {
        Detection { found: false, why: "daemonctl's own supervisor is taken where nothing else is found".to_owned() }
    }

    fn version(&self, _: Scope) -> Option<u32> {
        None
    }

    fn connect(&self, target: &Target) -> Result<Box<dyn Manager>> {
        Ok(Box::new(live::Embedded::new(target.clone())))
    }
}
