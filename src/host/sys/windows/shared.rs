//! Memory that is a file. There is nobody here to find what a killed host had in it: its services end with it.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// There is none.
#[derive(Debug)]
pub enum Shared {}

impl Shared {
    /// Says so.
    pub fn in_file(_: &Path, _: usize, _: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The words.
    #[must_use]
    pub const fn words(&self) -> &[AtomicU64] {
        match *self {}
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match *self {}
    }

    /// The bytes, to be changed.
    pub const fn bytes_mut(&mut self) -> &mut [u8] {
        match *self {}
    }
}
