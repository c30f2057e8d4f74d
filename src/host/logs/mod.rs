//! What services write: captured, dressed, rotated, kept and read again.
//!
//! `handover` is the buffer that pipes are read into; `format` is pure; `writer` owns the files of one service, `kept` the
//! beginning of a line; `rotate` renames, compresses and throws away, `house` has that done off the loop; `read` finds
//! every generation again.

pub mod format;
pub mod handover;
pub mod house;
pub mod kept;
pub mod read;
pub mod rotate;
pub mod writer;

#[cfg(unix)]
#[cfg(test)]
mod hostile;
