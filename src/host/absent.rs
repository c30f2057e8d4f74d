//! The host's entry points where it is not built yet.

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Layout;
use crate::service::Service;

/// How `supervise` is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supervise {
    /// By a person or a container: it stays in the foreground.
    Foreground,
    /// By a command that needs it: it says `ready` on its standard output, and then nothing more.
    OnDemand,
}

fn absent() -> Error {
    Error::failed("daemonctl's own supervisor does not run on this operating system yet")
        .hint("use the operating system's own service manager (`--backend`)")
}

/// Starts a supervisor where none runs.
pub fn ensure(_: &Layout, _: &std::path::Path) -> Result<()> {
    Err(absent())
}

/// Ends the supervisor of the scope with all its services.
pub fn shut_down(_: &Layout) -> Result<bool> {
    Err(absent())
}

/// Has the supervisor of the scope become another program.
pub fn reexec(_: &Layout, _: &std::path::Path) -> Result<bool> {
    Err(absent())
}

/// Has a supervisor of another build become ours; none runs.
pub fn renew(_: &Layout, _: &std::path::Path) -> Result<()> {
    Ok(())
}

/// Supervises a scope.
pub fn supervise(_: &Layout, _: Supervise) -> Result<Exit> {
    Err(absent())
}

/// Runs one service for a service manager.
pub fn run_one(_: Service, _: &Layout) -> Result<Exit> {
    Err(absent())
}

/// Runs services in the foreground.
pub fn run_foreground(_: Vec<Service>, _: &Layout) -> Result<Exit> {
    Err(absent())
}
