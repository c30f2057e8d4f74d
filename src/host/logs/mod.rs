//! What services write: captured, dressed, rotated, kept and read again.
//!
//! `format` is pure; `writer` owns the files of one service; `rotate` renames, compresses and throws away;
//! `read` finds every generation again.

pub mod format;
pub mod read;
#[cfg(unix)]
pub mod rotate;
#[cfg(unix)]
pub mod writer;
