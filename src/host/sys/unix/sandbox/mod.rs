//! What a service may touch: `security.profile` and `security.capabilities`, made between fork and exec.
//!
//! For the machine's services `standard` is a mount namespace of the run's own (system folders and kernel settings
//! read-only, an empty /tmp and /var/tmp), fewer capabilities in the bounding set, no new privileges, and a filter of
//! system calls; for a user's services it is the last two, which need nobody's permission. `strict` is for the machine's
//! services only: everything is read-only but what the manifest names, homes, devices and other processes are out of sight,
//! no capability is left, and only the system calls and sockets of a network service are. Both are what systemd's unit for
//! the same profile does, down to the lists. One thing goes further: where systemd removes the user's IPC objects when a
//! service of theirs ends (`RemoveIPC=`), `strict` gives the run objects of its own, which go with it.
//!
//! `mounts`, `capabilities` and `filter` prepare everything where memory may be allocated; what they `apply` in the
//! child is system calls on data that is there.

mod allowed;
mod capabilities;
mod filter;
mod mounts;

use std::io;
use std::path::Path;

use self::capabilities::{Kept, Set};
use self::filter::Filter;
use self::mounts::Mounts;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::service::{Profile, Service};

/// What a child is to be shut into.
#[derive(Debug, Clone)]
pub struct Sandbox {
    mounts: Option<Mounts>,
    /// The bounding set: what no program that it executes can have.
    bounding: Option<Set>,
    /// What it keeps though it runs as another user.
    kept: Option<Kept>,
    filters: Vec<Filter>,
}

impl Sandbox {
    /// What a service asks for; None: nothing. `whole`: the machine's services, of which more can be taken.
    pub fn of(service: &Service, whole: bool) -> Result<Option<Self>> {
        let security = &service.security;
        let list = security.capabilities.as_deref().map(Set::of);
        if list.is_some() && !whole {
            return Err(refused("security.capabilities", "a user's supervisor has no capabilities to give or take"));
        }
        let (mounts, bounding, filters) = match security.profile {
            Profile::None if list.is_none() => return Ok(None),
            Profile::None => (None, list, Vec::new()),
            Profile::Standard if whole => {
                let bounding = list.unwrap_or(Set::ALL).without(Set::of_the_kernel());
                (Some(Mounts::standard(&security.read_write)?), Some(bounding), filter::standard()?)
            }
            Profile::Standard => (None, None, filter::standard()?),
            Profile::Strict if whole => {
                let mounts = Mounts::strict(&security.read_write, service.lives_at_home())?;
                (Some(mounts), Some(list.unwrap_or(Set::NONE)), filter::strict()?)
            }
            Profile::Strict => {
                return Err(refused("security.profile", "a user's supervisor can't take away what `strict` takes"));
            }
        };
        let kept = list.and(bounding).filter(|kept| !kept.is_empty()).map(Kept::new);
        Ok(Some(Self { mounts, bounding, kept, filters }))
    }

    /// The first half, as root still. `dir`: where it starts, which is looked up anew behind the mounts.
    pub(super) fn apply_first(&self, dir: &std::ffi::CStr) -> io::Result<()> {
        if let Some(mounts) = &self.mounts {
            mounts.apply()?;
            nix::unistd::chdir(dir)?;
        }
        if let Some(kept) = &self.kept {
            kept.hold()?;
        }
        if let Some(bounding) = self.bounding {
            bounding.bound()?;
        }
        Ok(())
    }

    /// The second half, as who it runs as.
    pub(super) fn apply_last(&self) -> io::Result<()> {
        if let Some(kept) = &self.kept {
            kept.raise()?;
        }
        if !self.filters.is_empty() {
            nix::sys::prctl::set_no_new_privs()?;
            self.filters.iter().try_for_each(Filter::install)?;
        }
        Ok(())
    }
}

/// Whether such a sandbox can be made on this machine, as far as that can be told without making it.
pub fn sandbox_possible(service: &Service, whole: bool) -> Result<()> {
    let Some(sandbox) = Sandbox::of(service, whole)? else { return Ok(()) };
    let own = capabilities::own();
    if sandbox.mounts.is_some() && !own.contains("CAP_SYS_ADMIN") {
        return Err(refused("security.profile", "this container may make no mounts of its own (CAP_SYS_ADMIN)"));
    }
    if sandbox.mounts.is_some() && !mounts::are_known() {
        return Err(refused("security.profile", "this kernel is older than 5.12 and can't make it (mount_setattr)"));
    }
    if !Path::new("/proc/sys/kernel/seccomp").exists() && !sandbox.filters.is_empty() {
        return Err(refused("security.profile", "this kernel filters no system calls (CONFIG_SECCOMP_FILTER)"));
    }
    if let Some(missing) = service.security.capabilities.iter().flatten().find(|name| !own.contains(name)) {
        return Err(refused("security.capabilities", &format!("nobody on this machine has `{missing}` to give")));
    }
    Ok(())
}

fn refused(key: &str, why: &str) -> Error {
    Error::new(Exit::Manifest, format!("`{key}` cannot be met here: {why}"))
        .hint("remove it, or run the service where it can be met")
}
