//! What services write: captured, dressed, rotated, kept and read again.
//!
//! `format` is pure; `writer` owns the files of one service; `rotate` renames, compresses and throws away, `house` has
//! that done off the loop;
//! `read` finds every generation again.

pub mod format;
pub mod house;
pub mod read;
pub mod rotate;
pub mod writer;
