//! What acts. It is the same code on every system but for the one seam, `scm`, so that it is tested on every system.

mod codes;
mod entry;
mod guard;
mod identity;
mod manager;
mod order;
mod rights;
mod scm;
mod seen;
#[cfg(test)]
mod tests;
mod verbs;
mod wait;

/// The way to the service control manager of this machine.
#[cfg(windows)]
pub(super) fn connect(target: &crate::backend::Target) -> Box<dyn crate::backend::Manager> {
    Box::new(manager::Scm::new(Box::new(scm::real::Windows::default()), target.clone()))
}
