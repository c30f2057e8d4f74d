//! The machine that the model runs on: its services, and what time does to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::{Basic, Kind, Level, Raw, Registered, Seen, Win, state};
use crate::backend::windows::act::codes::Code;
use crate::system::password::Password;

/// The list that Windows gives a new service.
pub(in crate::backend::windows::act) const DEFAULT_LIST: &str =
    "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)";

/// How the program of a service behaves.
#[derive(Debug, Clone)]
pub(in crate::backend::windows::act) struct Program {
    /// Milliseconds until it is RUNNING, and until it is STOPPED.
    pub(in crate::backend::windows::act) starts: u64,
    pub(in crate::backend::windows::act) stops: u64,
    /// Some: it ends instead of running, with these codes.
    pub(in crate::backend::windows::act) fails: Option<(u32, u32)>,
    /// Milliseconds that its process outlives its service.
    pub(in crate::backend::windows::act) lingers: u64,
}

impl Default for Program {
    fn default() -> Self {
        Self { starts: 300, stops: 300, fails: None, lingers: 0 }
    }
}

#[derive(Debug, Clone)]
pub(in crate::backend::windows::act) struct Service {
    pub(in crate::backend::windows::act) name: String,
    pub(in crate::backend::windows::act) basic: Basic,
    pub(in crate::backend::windows::act) password: Option<String>,
    pub(in crate::backend::windows::act) levels: BTreeMap<Kind, Level>,
    pub(in crate::backend::windows::act) list: String,
    pub(in crate::backend::windows::act) seen: Seen,
    pub(in crate::backend::windows::act) program: Program,
    /// What it will be, and when.
    pub(super) next: Option<(u64, Seen)>,
    pub(super) deleted: bool,
}

#[derive(Debug, Default)]
pub(in crate::backend::windows::act) struct Machine {
    pub(in crate::backend::windows::act) services: BTreeMap<String, Service>,
    /// What programs do that no service has yet.
    pub(in crate::backend::windows::act) programs: BTreeMap<String, Program>,
    pub(in crate::backend::windows::act) sources: BTreeMap<String, Registered>,
    pub(in crate::backend::windows::act) accounts: BTreeMap<String, String>,
    pub(in crate::backend::windows::act) log_on: BTreeSet<String>,
    pub(in crate::backend::windows::act) files: BTreeMap<PathBuf, String>,
    /// Access lists of services' keys in the registry.
    pub(in crate::backend::windows::act) keys: BTreeMap<String, String>,
    /// Paths with who may read (false) or change (true) them.
    pub(in crate::backend::windows::act) let_at: Vec<(PathBuf, String, bool)>,
    /// Levels that this Windows does not know, with its answer.
    pub(in crate::backend::windows::act) unknown: BTreeMap<Kind, u32>,
    /// Calls that answer with these codes first: the call's name, and the codes in turn.
    pub(in crate::backend::windows::act) answers: BTreeMap<&'static str, Vec<u32>>,
    /// Handles of other programs.
    pub(in crate::backend::windows::act) foreign: Vec<String>,
    pub(in crate::backend::windows::act) running: Vec<String>,
    /// What was changed, in order.
    pub(in crate::backend::windows::act) log: Vec<String>,
    /// Nothing may be changed.
    pub(in crate::backend::windows::act) frozen: bool,
    /// Accepts anything, and keeps nothing of it.
    pub(in crate::backend::windows::act) forgetful: BTreeSet<Kind>,
    pub(super) handles: BTreeMap<usize, (String, u32)>,
    pub(super) processes: BTreeMap<u32, u64>,
    pub(super) now: u64,
    pub(super) last: usize,
}

impl Machine {
    pub(super) fn change(&mut self, what: String) {
        assert!(!self.frozen, "nothing may be changed now: {what}");
        self.log.push(what);
    }

    /// The code that the test wants a call to answer with.
    pub(super) fn answer(&mut self, call: &'static str) -> Win<()> {
        match self.answers.get_mut(call) {
            Some(codes) if !codes.is_empty() => Err(Code(codes.remove(0))),
            _ => Ok(()),
        }
    }

    pub(super) fn service(&mut self, name: &str) -> Option<&mut Service> {
        self.services.get_mut(&name.to_lowercase())
    }

    /// Lets time do what it does.
    pub(super) fn advance(&mut self) {
        let now = self.now;
        for service in self.services.values_mut() {
            if let Some((at, next)) = service.next.take_if(|(at, _)| *at <= now) {
                if next.state == state::STOPPED {
                    self.processes.insert(service.seen.pid, at + service.program.lingers);
                }
                service.seen = next;
            } else if service.next.is_some() {
                service.seen.checkpoint += 1;
            }
        }
        let held = |name: &str| {
            self.handles.values().any(|(held, _)| held.eq_ignore_ascii_case(name))
                || self.foreign.iter().any(|held| held.eq_ignore_ascii_case(name))
        };
        self.services
            .retain(|_, service| !(service.deleted && service.seen.state == state::STOPPED && !held(&service.name)));
    }

    pub(super) fn handle(&mut self, name: &str, rights: u32) -> Raw {
        self.last += 1;
        self.handles.insert(self.last, (name.to_owned(), rights));
        Raw(self.last)
    }

    pub(super) fn taken(&self, name: &str, but: &str) -> bool {
        self.services.values().any(|service| {
            !service.name.eq_ignore_ascii_case(but)
                && (service.name.eq_ignore_ascii_case(name) || service.basic.display_name.eq_ignore_ascii_case(name))
        })
    }

    pub(super) fn check_account(&self, account: &str, password: Option<&Password>) -> Win<()> {
        use crate::backend::windows::act::identity::{Logon, logon};
        let known = crate::backend::windows::act::identity::known_sid(account).is_some()
            || self.accounts.contains_key(&account.replace(r".\", r"BOX\").to_lowercase());
        match (logon(account), password) {
            _ if !known => Err(Code::INVALID_SERVICE_ACCOUNT),
            (Logon::Own | Logon::Managed, Some(_)) | (Logon::Password, None) => Err(Code::INVALID_SERVICE_ACCOUNT),
            _ => Ok(()),
        }
    }

    pub(super) fn running(&self, name: &str) -> bool {
        self.services.get(&name.to_lowercase()).is_some_and(|service| service.seen.state != state::STOPPED)
    }
}

pub(super) const fn down(exit: u32, specific: u32) -> Seen {
    Seen { state: state::STOPPED, accepts: 0, exit, specific, checkpoint: 0, hint: 0, pid: 0 }
}
