//! What the manager's answers mean, with what a host knows or left.

use std::time::Duration;

use super::codes::{Code, exit_in_words};
use super::manager::Scm;
use super::scm::{Held, Kind as Setting, Level, Seen, access, start, state};
use crate::backend::windows::config::FailureKind;
use crate::host::state as host_state;
use crate::report::{LastExit, State};
use crate::service::{Kind, Service};

/// What the manager's answer means.
pub(super) fn state_of(seen: &Seen, unit: &Service) -> State {
    match (seen.state, Code(seen.exit)) {
        (state::RUNNING | state::PAUSED, _) => State::Running,
        (state::START_PENDING | state::CONTINUE_PENDING, _) => State::Starting,
        (state::STOP_PENDING | state::PAUSE_PENDING, _) => State::Stopping,
        (state::STOPPED, Code(0)) if unit.kind == Kind::Oneshot => State::Completed,
        (state::STOPPED, Code(0) | Code::SERVICE_NEVER_STARTED) => State::Stopped,
        (state::STOPPED, _) => State::Failed,
        _ => State::Unknown,
    }
}

/// How the last run ended, as the manager tells it.
pub(super) fn last_exit(seen: &Seen) -> Option<LastExit> {
    if seen.state != state::STOPPED || seen.exit == Code::SERVICE_NEVER_STARTED.0 {
        return None;
    }
    let code = match Code(seen.exit) {
        Code(0) => Some(0),
        Code::SERVICE_SPECIFIC_ERROR => Some(seen.specific.cast_signed()),
        _ => None,
    };
    Some(LastExit { code, signal: None, reason: end_in_words(seen), at: None })
}

pub(super) const fn at_boot(start: u32) -> bool {
    start == start::AUTO
}

/// How a stopped service ended, in words.
pub(super) fn end_in_words(seen: &Seen) -> String {
    match Code(seen.exit) {
        Code(0) => "ended with success".to_owned(),
        Code::SERVICE_SPECIFIC_ERROR => exit_in_words(seen.specific),
        code => code.to_string(),
    }
}

impl Scm {
    /// What the host of a running service knows of it, or what one that failed left.
    pub(super) fn record(&self, id: &str, seen: &Seen) -> Option<host_state::Record> {
        let host = (seen.pid != 0).then_some(seen.pid);
        host_state::of_shim(&self.target.layout, id, host).ok().flatten()
    }

    /// In words, how the host of a unit died without having said what became of it; None: it has said so.
    pub(super) fn died(&self, id: &str, seen: &Seen) -> Option<String> {
        let said = matches!(Code(seen.exit), Code::SERVICE_SPECIFIC_ERROR | Code::SERVICE_NEVER_STARTED);
        if said || seen.state != state::STOPPED {
            return None;
        }
        let folder = self.target.layout.runtime.join("hosts").join(id);
        // A host that ends makes its state the last word.
        let file = host_state::read(&host_state::in_folder(&folder)).ok().flatten()?;
        let pid = file.supervisor.pid;
        Some(format!("its host, process {pid}, was killed or crashed, and its program was ended with it"))
    }

    /// What the manager does about a host that died.
    pub(super) fn recovery(&self, id: &str) -> String {
        let first = Held::open(self.api.as_ref(), id, access::QUERY_CONFIG)
            .and_then(|held| self.api.level(held.raw, Setting::Failure))
            .ok()
            .and_then(|level| match level {
                Level::Failure { actions, .. } => actions.first().copied(),
                _ => None,
            });
        let after = |ms: u32| crate::host::words::duration(Duration::from_millis(ms.into()));
        match first {
            Some((kind, delay)) if kind == FailureKind::Restart as u32 => {
                format!("the service control manager starts it again after {}", after(delay))
            }
            Some(_) => "the service control manager does not start it again by itself".to_owned(),
            None => "the service control manager tells of no recovery: `daemonctl start` brings it back".to_owned(),
        }
    }
}
