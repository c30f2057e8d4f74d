//! Systems whose mechanisms are not built yet: everything that needs one says so.

/// The name of a signal, without `SIG`.
#[must_use]
pub const fn signal_name(_: i32) -> Option<String> {
    None
}

/// Who a process is: its id, and when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// When it started.
    pub started: u64,
}
