//! Access lists of Windows: written down ([`sddl`]) and judged ([`judge`]), which is pure and tested everywhere; read from files
//! and written to them, on Windows.

#[cfg(windows)]
pub(crate) mod files;
pub(crate) mod judge;
pub(crate) mod sddl;
