//! Signals to a service's processes, and seeing that none is left.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::unit::Unit;
use super::{Engine, Id, Seen};
use crate::host::machine::{Current, Event};
use crate::host::sys::{self, Group};
use crate::service::KillScope;

/// A tree waits for so long at most until it is looked at.
const LONGEST: Duration = Duration::from_millis(20);

impl Engine {
    /// The stop signal, to the main process.
    pub(super) fn signal_main(&mut self, id: &Id) {
        let Some(unit) = self.units.get_mut(id) else { return };
        let (signal, Some(main)) = (unit.service.stop.signal, unit.main) else { return };
        unit.sent(sys::stop_name(signal), vec![main.pid]);
        // A child that is reaped already has its end in the queue, and its number may be somebody else's.
        if self.mains.contains_key(&main.pid) || unit.far && sys::lives(main) {
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

    /// What is left of a tree whose main process is gone gets a signal; `Gone` when nothing is.
    pub(super) fn signal_rest(&mut self, id: &Id) {
        self.clearing.remove(id);
        self.unlooked.insert(Rc::clone(id));
    }

    /// When trees are looked at next, if any are to be: at once when no other main process is left to end.
    pub(super) fn trees_due(&self) -> Option<Instant> {
        let at = if self.mains.is_empty() { Instant::now() } else { self.look_from };
        (!self.unlooked.is_empty()).then_some(at)
    }

    /// Looks at those trees, by one list of our children for all of them. A thousand services that end one after the
    /// other must not have it read a thousand times, so it is not read again at once.
    pub(super) fn look_at_trees(&mut self) {
        let before = sys::processor_time();
        let ids = std::mem::take(&mut self.unlooked);
        let is_stranger = |pid: &i32| !self.is_known(*pid);
        // Whatever a main process that is gone has left behind is ours now, or descends from what is.
        let no_strangers = sys::own_children().is_some_and(|children| !children.iter().any(is_stranger));
        for id in ids {
            let Some(unit) = self.units.get(&id).filter(|unit| unit.state.current == Current::Clearing) else {
                continue;
            };
            if no_strangers && !unit.far && unit.cgroup.is_none() {
                self.clearing.remove(&id);
                self.queue.push_back((id, Event::Gone));
            } else if self.clearing.contains(&id) {
                self.recheck(&id);
            } else {
                self.signal_tree(&id, false);
            }
        }
        // Not by the clock: on a machine on which a thousand processes end just now, we do not run all the time.
        let cost = sys::processor_time().saturating_sub(before);
        self.look_from = Instant::now() + (cost * 10).min(LONGEST);
    }

    fn signal_tree(&mut self, id: &Id, kill: bool) {
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
            return self.signal_tree(id, true);
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
        // The kernel gives the number of a session or group to nobody else while somebody is in it: who has it now has
        // nothing to do with the service, and only marks tell what is left of that.
        let is_anothers = sys::identify(main.pid).is_some_and(|now| now != main && main.started != 0);
        match unit.service.stop.kill {
            KillScope::Main => Vec::new(),
            KillScope::Group if sys::HAS_PROCESS_GROUPS && is_anothers => Vec::new(),
            KillScope::Group if sys::HAS_PROCESS_GROUPS => {
                sys::in_group_of(main.pid, unit.far, &|pid| self.is_others(pid, id))
            }
            KillScope::Group | KillScope::Tree => {
                let leader = if is_anothers { sys::NOBODY } else { main.pid };
                let mut tree = sys::tree_of(leader, &unit.invocation, unit.far, &|pid| self.is_others(pid, id));
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
        self.mains.get(&pid).is_none_or(|owner| owner != id) && self.is_known(pid)
    }

    /// A child of ours that is a main process, or no service's at all.
    pub(super) fn is_known(&self, pid: i32) -> bool {
        self.mains.contains_key(&pid) || self.commands.knows(pid) || self.keeping.is(pid)
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
