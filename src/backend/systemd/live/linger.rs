//! Lingering: whether a user's manager runs while nobody is logged in.

use std::path::{Path, PathBuf};

use super::bus::{Bus, PATIENCE, call};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::system::{commands::Command, machine};

const LOGIND: &str = "org.freedesktop.login1";

/// Our own user's name.
pub(super) fn user_name() -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name)
}

fn flag() -> Result<PathBuf> {
    let name = user_name().ok_or_else(|| Error::failed("your user has no name in the system's list of users"))?;
    Ok(Path::new("/var/lib/systemd/linger").join(name))
}

/// Where logind keeps it, and where it reads it at boot.
pub(super) fn lingers() -> Result<bool> {
    Ok(flag()?.exists())
}

/// Asks logind, or `loginctl` where no bus answers.
pub(super) fn set(on: bool) -> Result<()> {
    let word = if on { "enable" } else { "disable" };
    let tried = format!("{word} lingering");
    let done = match Bus::open(&super::system_socket()) {
        Ok(mut bus) => {
            let body = (machine::euid(), on, false);
            let asked =
                call(LOGIND, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "SetUserLinger", &body)?;
            match bus.batch(&[asked], PATIENCE)?.pop() {
                Some(Ok(_)) => Ok(()),
                Some(Err(refusal)) => Err(refusal.error(&tried)),
                None => Err(Error::failed(format!("cannot {tried}: no answer"))),
            }
        }
        Err(_) => Command::new("loginctl").arg(format!("{word}-linger")).check().map(drop),
    };
    done.map_err(|error| {
        if error.exit() == Exit::NotPermitted {
            let name = user_name().unwrap_or_else(|| "NAME".to_owned());
            Error::not_permitted(error.to_string())
                .hint(format!("have an administrator run `loginctl {word}-linger {name}`"))
        } else {
            error
        }
    })?;
    if lingers()? == on { Ok(()) } else { Err(Error::failed(format!("logind was asked to {tried} and did not"))) }
}
