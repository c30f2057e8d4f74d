//! Quoting, by file type: a value is written through the wrapper of the place it goes to, so that no format string
//! ever decides about it.
//!
//! Each wrapper is a `Display` that cannot fail; what a place cannot carry at all is told by the `*_carries`
//! functions beside it, which backends ask before they render.

pub mod systemd;
pub mod windows;
