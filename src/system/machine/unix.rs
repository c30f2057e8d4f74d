//! Unix: users by the C library, so that every source of accounts counts; folders by the platform's custom.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};
use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid};

use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;
use crate::layout::{Layout, Scope};

/// Where service managers look for programs.
pub(super) const SEARCH: &[&str] = &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The user that we act as.
#[must_use]
pub fn euid() -> u32 {
    geteuid().as_raw()
}

/// The user and the group that new files of ours belong to.
#[must_use]
pub fn ids() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

/// The numbers of an account; a group that is not named is the user's own.
pub fn account(user: Option<&str>, group: Option<&str>) -> Result<(u32, u32)> {
    let (mut uid, mut gid) = ids();
    if let Some(name) = user {
        let user = user_of(name)?;
        (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    }
    if let Some(name) = group {
        gid = group_of(name)?.gid.as_raw();
    }
    Ok((uid, gid))
}

/// The account of a user, by its name or, as service managers take it, by its number.
pub fn user_of(name: &str) -> Result<User> {
    let found = match (User::from_name(name), name.parse()) {
        (Ok(None), Ok(id)) => User::from_uid(Uid::from_raw(id)),
        (found, _) => found,
    };
    found
        .map_err(std::io::Error::from)
        .doing(format_args!("look up the user `{name}`"))?
        .ok_or_else(|| no("user", name))
}

/// A group, likewise.
pub fn group_of(name: &str) -> Result<Group> {
    let found = match (Group::from_name(name), name.parse()) {
        (Ok(None), Ok(id)) => Group::from_gid(Gid::from_raw(id)),
        (found, _) => found,
    };
    found
        .map_err(std::io::Error::from)
        .doing(format_args!("look up the group `{name}`"))?
        .ok_or_else(|| no("group", name))
}

fn no(what: &str, name: &str) -> Error {
    Error::new(Exit::Manifest, format!("there is no {what} `{name}` on this machine"))
        .hint("make it first, or name another")
}

/// Whether we may change the machine.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Makes a folder that only we can write in.
pub(super) fn make_guarded(path: &Path, mode: u32) -> Result<()> {
    crate::system::files::make_folders(path, mode).map(drop)
}

pub(super) fn system_layout() -> Layout {
    if !cfg!(target_os = "macos") {
        return Layout::unix_system();
    }
    Layout {
        scope: Scope::System,
        root: None,
        state: "/Library/Application Support/daemonctl".into(),
        runtime: "/var/run/daemonctl".into(),
        logs: "/Library/Logs/daemonctl".into(),
        config: "/Library".into(),
        binaries: "/Library/Application Support/daemonctl/bin".into(),
    }
}

pub(super) fn user_layout(base: &BaseDirs, own: &ProjectDirs) -> Layout {
    let mac = cfg!(target_os = "macos");
    let state = own.state_dir().unwrap_or_else(|| own.data_dir()).to_owned();
    let library = base.home_dir().join("Library");
    Layout {
        scope: Scope::User,
        root: None,
        runtime: user_runtime(base),
        logs: if mac { library.join("Logs/daemonctl") } else { state.join("logs") },
        config: if mac { library } else { base.config_dir().to_owned() },
        binaries: state.join("bin"),
        state,
    }
}

/// The login's runtime folder if it is really ours (after `su` the variable still names another user's); where the
/// variable is missing, as in a cron job, the one that the login would have; or else a folder of our own in `/tmp`, by
/// a name that every later command finds again, whatever its TMPDIR.
fn user_runtime(base: &BaseDirs) -> PathBuf {
    let usual = PathBuf::from(format!("/run/user/{}", euid()));
    let ours = |path: &Path| std::fs::metadata(path).is_ok_and(|seen| seen.is_dir() && seen.uid() == euid());
    let login = base.runtime_dir().map(Path::to_owned).into_iter().chain([usual]).find(|path| ours(path));
    match login {
        Some(folder) => folder.join("daemonctl"),
        None => format!("/tmp/daemonctl-{}", euid()).into(),
    }
}

/// Why a folder that is there is not ours alone; None: it is, or it is not there.
pub(super) fn not_ours(path: &Path) -> Option<String> {
    path.symlink_metadata().ok()?;
    stranger(path).ok().flatten()
}

/// As root: the part of the way to a folder that is somebody else's, and whose.
pub(super) fn anothers_home(folder: &Path) -> Option<(PathBuf, String)> {
    if !is_root() {
        return None;
    }
    let (place, seen) = folder.ancestors().find_map(|place| Some((place, place.metadata().ok()?)))?;
    if seen.uid() == 0 {
        return None;
    }
    let name =
        User::from_uid(seen.uid().into()).ok().flatten().map_or_else(|| seen.uid().to_string(), |user| user.name);
    Some((place.to_owned(), name))
}

/// Why a folder is not root's or ours alone; None: it is.
pub(super) fn stranger(path: &Path) -> Result<Option<String>> {
    let seen = std::fs::symlink_metadata(path).doing(format_args!("look at `{}`", path.display()))?;
    let mode = seen.mode();
    Ok(if seen.uid() != 0 && seen.uid() != euid() {
        Some(format!("it belongs to the user {}", seen.uid()))
    } else if mode & 0o002 != 0 || (mode & 0o020 != 0 && seen.gid() != 0) {
        Some(format!("others may write in it (mode {:04o})", mode & 0o7777))
    } else {
        None
    })
}

pub(super) fn program_names(name: &OsStr) -> Vec<OsString> {
    vec![name.to_owned()]
}

pub(super) fn executable(_: &Path, seen: &Metadata) -> bool {
    seen.permissions().mode() & 0o111 != 0
}

pub(super) fn user_exists(name: &str) -> Option<bool> {
    is_there(&user_of(name))
}

pub(super) fn group_exists(name: &str) -> Option<bool> {
    is_there(&group_of(name))
}

/// None: what knows of accounts could not be asked.
fn is_there<T>(found: &Result<T>) -> Option<bool> {
    match found {
        Ok(_) => Some(true),
        Err(error) => (error.exit() == Exit::Manifest).then_some(false),
    }
}

/// Whether everybody may read or write it.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is not known")]
pub(super) fn open_to_all(seen: &std::fs::Metadata) -> Option<bool> {
    use std::os::unix::fs::PermissionsExt;
    Some(seen.permissions().mode() & 0o007 != 0)
}
