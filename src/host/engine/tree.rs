//! Signals to a service's processes, and seeing that none is left.

use std::rc::Rc;

use super::unit::Unit;
use super::{Engine, Id, Seen};
use crate::host::machine::{Current, Event};
use crate::host::sys::{self, Group};
use crate::service::KillScope;

impl Engine {
    /// The stop signal, to the main process.
    pub(super) fn signal_main(&mut self, id: &Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let (signal, Some(main)) = (unit.service.stop.signal, unit.main) else { return };
        unit.sent(sys::stop_name(signal), vec![main.pid]);
        if !unit.far || sys::lives(main) {
            sys::ask_to_end(&[main.pid], signal);
        }
        if sys::next_rung(signal).is_some() {
            let (half, teller) = (unit.service.stop.timeout / 2, self.teller(id));
            tokio::task::spawn_local(async move {
                tokio::time::sleep(half).await;
                teller.tell(Seen::StillThere);
            });
        }
    }

    /// Half of the stop's time has passed: what else asks it to end?
    pub(super) fn ask_otherwise(&mut self, id: &Id) {
        let rest = self.rest(id);
        let Some(unit) = self.units.get_mut(id).filter(|unit| unit.state.current == Current::Ending) else { return };
        if let (Some(signal), Some(main)) = (sys::next_rung(unit.service.stop.signal), unit.main) {
            let all = if rest.is_empty() { vec![main.pid] } else { rest };
            unit.sent(sys::stop_name(signal), all.clone());
            sys::ask_to_end(&all, signal);
        }
    }

    /// A signal to what is left of a tree whose main process is gone; `Gone` at once if nothing is.
    pub(super) fn signal_rest(&mut self, id: &Id, kill: bool) {
        let rest = self.rest(id);
        let Some(unit) = self.units.get_mut(id) else { return };
        if rest.is_empty() {
            self.clearing.remove(id);
            return self.queue.push_back((Rc::clone(id), Event::Gone));
        }
        let signal = unit.service.stop.signal;
        if kill {
            unit.sent(sys::KILL.to_owned(), rest.clone());
            sys::kill_all(&rest, whole_group(unit));
        } else {
            unit.sent(sys::stop_name(signal), rest.clone());
            sys::ask_to_end(&rest, signal);
        }
        self.clearing.insert(Rc::clone(id));
        self.recheck_after(id, &rest);
    }

    /// The end of all that the kill scope names.
    pub(super) fn kill(&mut self, id: &Id) {
        let Some(unit) = self.units.get(id) else { return };
        if !unit.state.current.has_main() {
            return self.signal_rest(id, true);
        }
        let Some(main) = unit.main else { return };
        let mut all = self.rest(id);
        if !all.contains(&main.pid) && sys::lives(main) {
            all.push(main.pid);
        }
        if let Some(unit) = self.units.get_mut(id) {
            sys::kill_all(&all, whole_group(unit));
            unit.sent(sys::KILL.to_owned(), all);
        }
    }

    /// Whether a unit in `Clearing` is gone now.
    pub(super) fn recheck(&mut self, id: &Id) {
        let clearing = self.units.get(id).is_some_and(|unit| unit.state.current == Current::Clearing);
        if clearing && self.clearing.contains(id) && self.rest(id).is_empty() {
            self.clearing.remove(id);
            self.queue.push_back((Rc::clone(id), Event::Gone));
        }
    }

    /// The living processes that the kill scope names, the main one among them if it lives.
    fn rest(&self, id: &Id) -> Vec<i32> {
        let Some(unit) = self.units.get(id) else { return Vec::new() };
        let Some(main) = unit.main else { return Vec::new() };
        match unit.service.stop.kill {
            KillScope::Main => Vec::new(),
            KillScope::Group if sys::HAS_PROCESS_GROUPS => {
                sys::in_group_of(main.pid, unit.far, &|pid| self.is_others(pid, id))
            }
            KillScope::Group | KillScope::Tree => {
                let mut tree = sys::tree_of(main.pid, &unit.invocation, unit.far, &|pid| self.is_others(pid, id));
                // Whatever it did to its session and environment, it has not left its control group.
                let members = unit.cgroup.iter().flat_map(Group::members);
                let more: Vec<i32> =
                    members.filter(|pid| !tree.contains(pid) && sys::identify(*pid).is_some()).collect();
                tree.extend(more);
                tree
            }
        }
    }

    fn is_others(&self, pid: i32, id: &Id) -> bool {
        self.mains.get(&pid).is_some_and(|owner| owner != id) || self.commands.knows(pid)
    }
}

/// Its control group or job, if all in it is to be killed: it holds more than the main process and its process group.
fn whole_group(unit: &Unit) -> Option<&Group> {
    let whole = match unit.service.stop.kill {
        KillScope::Tree => true,
        KillScope::Group => !sys::HAS_PROCESS_GROUPS,
        KillScope::Main => false,
    };
    unit.cgroup.as_ref().filter(|_| whole)
}
