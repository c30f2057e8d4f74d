//! What only Windows has.

mod changes;
mod deletion;
mod host;
mod killed_host;
mod registry;

use crate::support::{Test, Where};

/// A test of services of the service control manager. None: they are not tested here.
fn system(name: &str) -> Option<Test> {
    if std::env::var("DAEMONCTL_LIVE").as_deref() != Ok("windows") {
        return None;
    }
    Test::live(name).filter(|t| t.place == Where::Windows)
}
