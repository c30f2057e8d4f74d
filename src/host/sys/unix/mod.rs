//! Unix.

/// The name of a signal, without `SIG`.
#[must_use]
pub fn signal_name(number: i32) -> Option<String> {
    let signal = nix::sys::signal::Signal::try_from(number).ok()?;
    signal.as_str().strip_prefix("SIG").map(str::to_owned)
}
