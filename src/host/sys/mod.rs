//! The mechanisms that differ by operating system, with the same signatures everywhere.

mod launch;
mod touch;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

pub use launch::{Launch, Output};
pub use touch::{Touch, What};
