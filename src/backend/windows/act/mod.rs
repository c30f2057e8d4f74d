//! What acts. It is the same code on every system but for the one seam, `scm`, so that it is tested on every system.

pub(super) mod codes;
pub(super) mod entry;
pub(super) mod guard;
pub(super) mod identity;
pub(super) mod manager;
pub(super) mod rights;
pub(super) mod scm;
#[cfg(test)]
mod tests;
pub(super) mod verbs;
pub(super) mod wait;
