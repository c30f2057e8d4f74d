//! Watching files: `glob` says which, and is pure; `scan` looks at what is there. The events themselves are
//! `sys::Watcher`'s, and what comes of a change is the engine's (`engine::files`).
//!
//! Events are hints. When they have been quiet for the debounce time, everything that is watched is looked at again and
//! compared with what was seen before. That way a file that is replaced by a rename, one that appears with its whole folder,
//! a link that is switched to another release, and events that the kernel had no room for, all come to the same.

pub mod glob;
mod scan;

pub use scan::{Print, Scan, scan};
