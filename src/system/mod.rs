//! THE EDGE: everything that touches the machine on behalf of the CLI.
//!
//! What is decided is decided elsewhere, from data; here it is looked at and done. A backend's act side and the
//! host's mechanisms build on these too.

#[cfg(any(windows, test))]
pub(crate) mod access;
pub mod commands;
pub mod files;
pub mod folders;
pub mod host_binary;
pub mod interrupt;
#[cfg(all(windows, target_env = "gnu", not(target_arch = "x86")))]
mod late;
pub mod lock;
pub mod machine;
pub mod manifest_file;
pub mod password;
pub mod places;
pub mod processes;
pub mod strangers;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::tz::TimeZone;

use crate::error::{IoContext, Result};

/// A variable of the environment.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether something is at a path, following links. What can't be looked at counts as not there.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// The path, absolute and without `.` and `..`, links not resolved: a manifest is owned under the name it was given.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    use std::path::Component;
    let absolute = std::path::absolute(path).doing(format_args!("tell where `{}` is", path.display()))?;
    let mut clean = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    Ok(clean)
}

/// The time.
#[must_use]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The time as the clock on the wall shows it.
#[must_use]
pub fn local_time(time: jiff::Timestamp) -> jiff::Zoned {
    static ZONE: LazyLock<TimeZone> = LazyLock::new(|| own_zone().unwrap_or_else(TimeZone::system));
    time.to_zoned(ZONE.clone())
}

/// The machine's zone from its file. Asked for the system's zone, `jiff` wants its name too, and lists every zone that
/// the machine knows to find it; no time is shown with the name.
fn own_zone() -> Option<TimeZone> {
    if cfg!(not(unix)) || std::env::var_os("TZ").is_some() {
        return None;
    }
    TimeZone::tzif("", &std::fs::read("/etc/localtime").ok()?).ok()
}

/// Waits. Not for anything: for something there is an event.
pub fn pause(time: std::time::Duration) {
    std::thread::sleep(time);
}

/// A file's content, by whatever links lead to it; None: there is none.
pub fn read_following(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(format_args!("read `{}`", path.display())),
    }
}
