//! What a child does to itself between its making and its program: system calls only, as it may share our memory.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use super::cgroup::Group;
use super::files_limit;
use super::sandbox::Sandbox;
use crate::host::sys::launch::Launch;
use crate::service::Priority;

pub(super) struct Becomes {
    join: Vec<File>,
    umask: Option<libc::mode_t>,
    ids: Option<(libc::uid_t, libc::gid_t, Vec<libc::gid_t>)>,
    gid: Option<libc::gid_t>,
    files: Option<Files>,
    nice: Option<i32>,
    brand: Option<u64>,
    sandbox: Option<Sandbox>,
    dir: CString,
}

/// Most open files.
enum Files {
    Wanted(rlim_t),
    /// What we were started with.
    Original(rlim_t, rlim_t),
}

impl Becomes {
    pub(super) fn of(launch: &Launch<'_>) -> io::Result<Self> {
        let account = launch.account;
        #[allow(
            clippy::unnecessary_fallible_conversions,
            clippy::useless_conversion,
            reason = "not 32 bits everywhere"
        )]
        let umask = launch.umask.map(libc::mode_t::try_from).transpose().map_err(io::Error::other)?;
        #[allow(
            clippy::unnecessary_fallible_conversions,
            clippy::useless_conversion,
            reason = "it is signed on FreeBSD"
        )]
        let wanted = launch.open_files.map(rlim_t::try_from).transpose().map_err(io::Error::other)?;
        let original = || files_limit::original().map(|(soft, hard)| Files::Original(soft, hard));
        let other_group = account.gid != nix::unistd::getegid().as_raw();
        Ok(Self {
            join: launch.group.map(Group::entrances).transpose()?.unwrap_or_default(),
            umask,
            ids: account.groups.as_ref().map(|groups| (account.uid, account.gid, groups.clone())),
            gid: (account.groups.is_none() && other_group).then_some(account.gid),
            files: wanted.map(Files::Wanted).or_else(original),
            nice: launch.priority.map(nice),
            brand: super::brand::of(launch.mark),
            sandbox: launch.sandbox.cloned(),
            dir: CString::new(launch.dir.as_os_str().as_bytes())?,
        })
    }

    /// Does it; takes no lock and allocates nothing.
    pub(super) fn apply(&self) -> io::Result<()> {
        // Signals that whoever started the supervisor had ignored (nohup) are not ignored in the service.
        for signal in 1..=31 {
            // SAFETY: signal(2) with SIG_DFL; the numbers that can't be set answer EINVAL.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        nix::unistd::setsid()?;
        if let Some(brand) = self.brand {
            super::brand::put(brand);
        }
        for group in &self.join {
            // `0` is whoever writes it.
            nix::unistd::write(group, b"0")?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: setpriority(2) takes numbers only.
            check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })?;
        }
        match self.files {
            None => {}
            Some(Files::Original(soft, hard)) => setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?,
            Some(Files::Wanted(wanted)) => {
                // Hard limits go up for root only; soft ones up to the hard one for anybody.
                let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
                let hard = if nix::unistd::geteuid().is_root() || wanted <= hard { wanted } else { hard };
                setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
            }
        }
        if let Some(umask) = self.umask {
            // SAFETY: umask(2) cannot fail.
            unsafe { libc::umask(umask) };
        }
        if let Some(sandbox) = &self.sandbox {
            sandbox.apply_first(&self.dir)?;
        }
        if let Some((uid, gid, groups)) = &self.ids {
            set_groups(groups)?;
            set_gid(*gid)?;
            set_uid(*uid)?;
        } else if let Some(gid) = self.gid {
            set_gid(gid)?;
        }
        self.sandbox.as_ref().map_or(Ok(()), Sandbox::apply_last)
    }
}

const fn nice(priority: Priority) -> i32 {
    match priority {
        Priority::Idle => 19,
        Priority::Low => 10,
        Priority::Normal => 0,
        Priority::High => -10,
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The kernel's own calls: the C library's would have every thread of this memory follow, and that may be ours.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod ids {
    fn check(result: libc::c_long) -> std::io::Result<()> {
        if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    }

    pub(super) fn set_groups(groups: &[libc::gid_t]) -> std::io::Result<()> {
        // SAFETY: the pointer and the count are those of one living slice of group ids.
        check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
    }

    pub(super) fn set_gid(gid: libc::gid_t) -> std::io::Result<()> {
        // SAFETY: setgid(2) takes a number.
        check(unsafe { libc::syscall(libc::SYS_setgid, gid) })
    }

    pub(super) fn set_uid(uid: libc::uid_t) -> std::io::Result<()> {
        // SAFETY: setuid(2) takes a number.
        check(unsafe { libc::syscall(libc::SYS_setuid, uid) })
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod ids {
    pub(super) fn set_groups(groups: &[libc::gid_t]) -> std::io::Result<()> {
        let count = groups.len().try_into().map_err(|_| std::io::ErrorKind::InvalidInput)?;
        // SAFETY: the pointer and the count are those of one living slice of group ids.
        super::check(unsafe { libc::setgroups(count, groups.as_ptr().cast()) })
    }

    pub(super) fn set_gid(gid: libc::gid_t) -> std::io::Result<()> {
        Ok(nix::unistd::setgid(gid.into())?)
    }

    pub(super) fn set_uid(uid: libc::uid_t) -> std::io::Result<()> {
        Ok(nix::unistd::setuid(uid.into())?)
    }
}

use ids::{set_gid, set_groups, set_uid};
