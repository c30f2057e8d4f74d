//! Systems whose mechanisms are not built yet: everything that needs one says so.

/// The name of a signal, without `SIG`.
#[must_use]
pub const fn signal_name(_: i32) -> Option<String> {
    None
}

/// What tells an open file from others: when it was made.
pub fn file_number(file: &std::fs::File) -> std::io::Result<u64> {
    let made = file.metadata()?.created()?.duration_since(std::time::UNIX_EPOCH).map_err(std::io::Error::other)?;
    u64::try_from(made.as_nanos()).map_err(std::io::Error::other)
}

/// A clock that only goes forward; it begins with the first call.
#[must_use]
pub fn monotonic() -> std::time::Duration {
    static BEGIN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGIN.elapsed()
}

/// Who a process is: its id, and when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// When it started.
    pub started: u64,
}
