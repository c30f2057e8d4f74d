//! Systems whose mechanisms are not built yet: everything that needs one says so.

/// The name of a signal, without `SIG`.
#[must_use]
pub const fn signal_name(_: i32) -> Option<String> {
    None
}
