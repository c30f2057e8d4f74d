//! Events that wait for the machine, first come, first served.
//!
//! The loop works them off in turns, so that the start of a thousand does not keep everybody else waiting. What was
//! asked of a unit is therefore not always done when the next request comes: a place in the queue says from when on a
//! unit's state is an answer.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use super::Id;
use crate::host::machine::Event;

#[derive(Default)]
pub(super) struct Queue {
    events: VecDeque<(Id, Event)>,
    /// So many have been taken, but for those that were put in front.
    taken: u64,
}

impl Queue {
    pub(super) fn push_back(&mut self, event: (Id, Event)) {
        self.events.push_back(event);
    }

    /// What belongs to the event that is being carried out.
    pub(super) fn push_front(&mut self, event: (Id, Event)) {
        self.events.push_front(event);
        self.taken = self.taken.wrapping_sub(1);
    }

    pub(super) fn pop_front(&mut self) -> Option<(Id, Event)> {
        let event = self.events.pop_front()?;
        self.taken = self.taken.wrapping_add(1);
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The place behind everything that waits now.
    pub(super) fn end(&self) -> u64 {
        self.taken.wrapping_add(self.events.len() as u64)
    }

    /// Whether everything in front of that place has been taken.
    pub(super) fn is_past(&self, place: u64) -> bool {
        place.wrapping_sub(self.taken).cast_signed() <= 0
    }

    /// Starts of these that have not begun never will; gives whose. None: of everybody.
    pub(super) fn call_off_starts(&mut self, of: Option<&BTreeSet<Id>>) -> Vec<Id> {
        let mut called_off = Vec::new();
        for (id, _) in self.events.iter_mut().filter(|(id, event)| {
            matches!(event, Event::Start) && !id.is_empty() && of.is_none_or(|of| of.contains(id))
        }) {
            // Its place stays, as others count by it; there is no unit without a name.
            called_off.push(std::mem::replace(id, Rc::from("")));
        }
        called_off
    }
}

impl Extend<(Id, Event)> for Queue {
    fn extend<T: IntoIterator<Item = (Id, Event)>>(&mut self, events: T) {
        self.events.extend(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_past_when_all_in_front_of_it_and_what_came_of_that_is_taken() {
        let id = |name: &str| Id::from(name);
        let mut queue = Queue::default();
        assert!(queue.is_past(queue.end()));
        queue.extend([(id("one"), Event::Start), (id("two"), Event::Start)]);
        let place = queue.end();
        queue.push_back((id("later"), Event::Start));
        assert!(!queue.is_past(place));
        queue.pop_front();
        queue.push_front((id("one"), Event::Spawned));
        queue.pop_front();
        assert!(!queue.is_past(place), "`two` still waits");
        let called_off = queue.call_off_starts(Some(&[id("two")].into()));
        assert_eq!(called_off, [id("two")]);
        assert!(!queue.is_past(place), "its place stays");
        assert_eq!(queue.pop_front().map(|(id, _)| id), Some(id("")));
        assert!(queue.is_past(place));
        assert_eq!(queue.call_off_starts(None), [id("later")]);
        assert!(!queue.is_empty());
    }
}
