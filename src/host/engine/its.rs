//! A unit's service, and what it has in common with others.
//!
//! Many services of a scope differ in their name and their program alone: all else, which is most of a service, is kept
//! once for those that have the same.

use std::collections::VecDeque;
use std::ops::Deref;
use std::rc::Rc;

use crate::host::machine::Policy;
use crate::service::Service;

/// So many kinds are compared with: those that are alike come one after the other, from one manifest.
const RECENT: usize = 8;

/// A service. It derefs to what it has in common with others, in which [`Its::name`], [`Its::instance`] and [`Its::exec`]
/// are empty unless it has folders of its own: those are told by all of its texts.
#[derive(Debug)]
pub(super) struct Its {
    /// Its name.
    pub(super) name: Box<str>,
    /// Which instance it is.
    pub(super) instance: Option<Box<str>>,
    /// Its program and arguments.
    pub(super) exec: Box<[String]>,
    common: Rc<Common>,
}

#[derive(Debug)]
struct Common {
    service: Service,
    policy: Policy,
}

impl Its {
    /// What the machine must know of it.
    pub(super) fn policy(&self) -> impl Deref<Target = Policy> + use<> {
        Shared(Rc::clone(&self.common))
    }
}

/// A policy that outlives the borrow of its unit.
struct Shared(Rc<Common>);

impl Deref for Shared {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0.policy
    }
}

impl Deref for Its {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.common.service
    }
}

impl PartialEq for Its {
    fn eq(&self, other: &Self) -> bool {
        let own = |its: &Self| (its.name.clone(), its.instance.clone());
        let same = Rc::ptr_eq(&self.common, &other.common) || self.common.service == other.common.service;
        same && self.exec == other.exec && own(self) == own(other)
    }
}

/// What the last services had in common.
#[derive(Debug, Default)]
pub(super) struct Commons(VecDeque<Rc<Common>>);

impl Commons {
    /// Takes a service apart.
    pub(super) fn take(&mut self, mut service: Service) -> Its {
        let (name, instance, exec) = if service.own_folders {
            (service.name.clone(), service.instance.clone(), service.exec.clone())
        } else {
            (std::mem::take(&mut service.name), service.instance.take(), std::mem::take(&mut service.exec))
        };
        let exec = exec.into_iter().map(|mut text| {
            text.shrink_to_fit();
            text
        });
        Its {
            name: name.into(),
            instance: instance.map(Into::into),
            exec: exec.collect(),
            common: self.common(service),
        }
    }

    fn common(&mut self, service: Service) -> Rc<Common> {
        if let Some(known) = self.0.iter().find(|known| known.service == service) {
            return Rc::clone(known);
        }
        let policy = Policy::of(&service);
        let new = Rc::new(Common { service, policy });
        self.0.truncate(RECENT - 1);
        self.0.push_front(Rc::clone(&new));
        new
    }
}
