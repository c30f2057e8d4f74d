//! What a watch of files tells, whatever watches.

use std::ffi::OsString;

/// Something that happened in a watched folder, or to a watched file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The watch; None: of any, events were lost.
    pub watch: Option<i32>,
    /// The entry; None: what is watched itself.
    pub name: Option<OsString>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was written to and closed, or at least written to.
    Written,
    /// It came to be; a file is perhaps still being written.
    Created,
    /// Something else: written to (Windows tells no more), moved here or away, deleted, touched.
    Other,
    /// The watch is over: the folder is gone.
    Over,
}
