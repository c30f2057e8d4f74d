//! The real systemd: over its bus where one answers, over `systemctl` otherwise.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::backend::{Detection, Manager, Target};
use crate::error::{Error, Result};
use crate::layout::Scope;
use crate::service::Service;
use crate::system::machine;

mod bus;
mod clock;
mod dbus;
mod groups;
mod journal;
mod linger;
mod link;
mod manager;
mod pipe;
mod state;
mod status;
mod systemctl;
mod verbs;
mod verify;
mod window;

use link::Link;

/// A connection until `connect` takes it over: opening one costs more than most questions do.
static PARKED: Mutex<Option<(Scope, Parked)>> = Mutex::new(None);

enum Parked {
    /// A bus that was called ahead.
    Called(bus::Greeting),
    /// On which the version was asked.
    Open(Box<dyn Link>),
}

/// Whether systemd runs this machine.
pub(super) fn detect(scope: Scope) -> Detection {
    let found = |why: String| Detection { found: true, why };
    let missing = |why: String| Detection { found: false, why };
    if !Path::new("/run/systemd/system").is_dir() {
        return missing("there is no `/run/systemd/system`".to_owned());
    }
    if scope == Scope::System {
        return found("`/run/systemd/system` exists".to_owned());
    }
    let folder = runtime_dir();
    for socket in ["bus", "systemd/private"] {
        let socket = folder.join(socket);
        if socket.exists() {
            return found(format!("`{}` exists: your own systemd runs", socket.display()));
        }
    }
    missing(format!(
        "no systemd of your own runs: there is neither `bus` nor `systemd/private` in `{}`",
        folder.display()
    ))
}

/// Its version.
pub(super) fn version(scope: Scope) -> Option<u32> {
    let mut link = open(scope).ok()?;
    let version = link.version().ok().flatten();
    park(scope, Parked::Open(link));
    version
}

/// See [`crate::backend::Backend::call_ahead`].
pub(super) fn call_ahead(scope: Scope) {
    if let Ok(greeting) = bus::Greeting::send(&socket(scope)) {
        park(scope, Parked::Called(greeting));
    }
}

/// See [`crate::backend::Backend::glance`].
pub(super) fn glance(unit: &Service, scope: Scope) -> Option<u32> {
    groups::Groups::find(scope).only_process(unit)
}

/// The way to it.
pub(super) fn connect(target: &Target) -> Result<Box<dyn Manager>> {
    Ok(Box::new(manager::Systemd::new(open(target.scope)?, target.clone())))
}

fn park(scope: Scope, what: Parked) {
    *PARKED.lock().unwrap_or_else(PoisonError::into_inner) = Some((scope, what));
}

fn parked(scope: Scope) -> Option<Parked> {
    let parked = PARKED.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(of, _)| *of == scope);
    parked.map(|(_, what)| what)
}

fn open(scope: Scope) -> Result<Box<dyn Link>> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Err(Error::failed("systemd does not run this machine: there is no `/run/systemd/system`")
            .hint("use `--backend embedded`, daemonctl's own supervisor"));
    }
    let bus = match parked(scope) {
        Some(Parked::Open(link)) => return Ok(link),
        Some(Parked::Called(greeting)) => greeting.answered(),
        None => bus::Bus::open(&socket(scope)),
    };
    let runtime = (scope == Scope::User).then(runtime_dir);
    match bus {
        Ok(bus) => Ok(Box::new(dbus::DBus::new(bus))),
        Err(error) => {
            if let Some(folder) = &runtime
                && !folder.join("systemd/private").exists()
            {
                return Err(no_user_manager(folder, &error));
            }
            Ok(Box::new(systemctl::Systemctl::new(scope, runtime)))
        }
    }
}

/// The bus of the manager of a scope.
fn socket(scope: Scope) -> PathBuf {
    match scope {
        Scope::System => system_socket(),
        Scope::User => runtime_dir().join("bus"),
    }
}

fn no_user_manager(folder: &Path, error: &Error) -> Error {
    let made = Error::failed(format!("your own systemd does not run: {error}"));
    if machine::is_root() {
        made.hint("root has services in system scope; for another user: `sudo -iu NAME`, then `daemonctl --user ...`")
    } else {
        made.hint(format!(
            "log in anew (not by `su`), or have an administrator run `loginctl enable-linger {}`; \
             it makes `{}`",
            linger::user_name().unwrap_or_else(|| "NAME".to_owned()),
            folder.display()
        ))
        .hint("or use `--backend embedded`, daemonctl's own supervisor")
    }
}

/// Where the user's sockets are. After `su` the variable is missing or another user's.
fn runtime_dir() -> PathBuf {
    let own = PathBuf::from(format!("/run/user/{}", machine::euid()));
    match crate::system::env("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(folder) if folder.is_absolute() && !(folder != own && folder.starts_with("/run/user") && own.exists()) => {
            folder
        }
        _ => own,
    }
}

/// The system bus; its address is overridden as D-Bus programs have it.
fn system_socket() -> PathBuf {
    let address = crate::system::env("DBUS_SYSTEM_BUS_ADDRESS");
    let path = address
        .as_deref()
        .and_then(|address| address.strip_prefix("unix:path="))
        .map(|path| path.split([',', ';']).next().unwrap_or(path));
    PathBuf::from(path.unwrap_or("/run/dbus/system_bus_socket"))
}
