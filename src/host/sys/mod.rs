//! The mechanisms that differ by operating system, with the same signatures everywhere.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;
#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub use other::*;
