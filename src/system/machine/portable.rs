//! Where there is no Unix: Windows, whose folders are named by variables.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

use crate::error::Result;
use crate::layout::{Layout, Scope};

/// The manager has no search path of its own.
pub(super) const SEARCH: &[&str] = &[];

/// There are no numbers for users here.
#[must_use]
pub const fn euid() -> u32 {
    0
}

/// Owners are not numbers here; files belong to who makes them.
#[must_use]
pub const fn ids() -> (u32, u32) {
    (0, 0)
}

/// Files belong to who makes them here.
pub fn account(_: Option<&str>, _: Option<&str>) -> Result<(u32, u32)> {
    Ok(ids())
}

/// Whether we may change the machine: an elevated administrator. `DAEMONCTL_ASSUME_ELEVATED=1` says so where it can't be
/// told (Wine); it gives no right that Windows does not give.
#[must_use]
pub fn is_root() -> bool {
    #[cfg(windows)]
    return std::env::var_os("DAEMONCTL_ASSUME_ELEVATED").is_some_and(|yes| yes == "1") || elevated();
    #[cfg(not(windows))]
    return false;
}

#[cfg(windows)]
fn elevated() -> bool {
    use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
    use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_ELEVATION, TOKEN_QUERY, TokenElevation};
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
    let mut token: HANDLE = std::ptr::null_mut();
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let mut length = 0;
    let size = u32::try_from(size_of::<TOKEN_ELEVATION>()).unwrap_or_default();
    // SAFETY: the pseudo handle of the process is always good, `token` is valid for writing.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return false;
    }
    // SAFETY: `token` is open; the buffer is a TOKEN_ELEVATION of the size that is given.
    let told =
        unsafe { GetTokenInformation(token, TokenElevation, (&raw mut elevation).cast(), size, &raw mut length) };
    // SAFETY: opened above and used no more.
    unsafe { CloseHandle(token) };
    told != 0 && elevation.TokenIsElevated != 0
}

pub(super) fn system_layout() -> Layout {
    let data = std::env::var_os("ProgramData").map_or_else(|| r"C:\ProgramData".into(), PathBuf::from);
    let programs = std::env::var_os("ProgramFiles").map_or_else(|| r"C:\Program Files".into(), PathBuf::from);
    let own = data.join("daemonctl");
    Layout {
        scope: Scope::System,
        root: None,
        runtime: own.join("run"),
        logs: own.join("logs"),
        config: data,
        binaries: programs.join("daemonctl"),
        state: own,
    }
}

pub(super) fn user_layout(base: &BaseDirs, own: &ProjectDirs) -> Layout {
    let state = own.data_local_dir().to_owned();
    Layout {
        scope: Scope::User,
        root: None,
        runtime: state.join("run"),
        logs: state.join("logs"),
        config: base.config_dir().to_owned(),
        binaries: state.join("bin"),
        state,
    }
}

/// Makes a folder that only we can write in: what it would inherit here (`C:\ProgramData`) lets every user make files.
#[cfg(windows)]
pub(super) fn make_guarded(path: &Path, mode: u32) -> Result<()> {
    use crate::error::IoContext;
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        crate::system::files::make_folders(parent, 0o755)?;
    }
    match crate::system::access::files::make_guarded_folder(path, mode & 0o005 != 0) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        done => done.doing(format_args!("make the folder `{}`", path.display())),
    }
}

/// Makes a folder.
#[cfg(not(windows))]
pub(super) fn make_guarded(path: &Path, mode: u32) -> Result<()> {
    crate::system::files::make_folders(path, mode).map(drop)
}

/// Why a folder is not ours alone: it is a link, or strangers can write in it.
#[cfg(windows)]
pub(super) fn stranger(path: &Path) -> Result<Option<String>> {
    use crate::error::IoContext;
    use crate::system::access::judge::{self, Thing};
    use crate::system::access::{files, sddl};
    let doing = || format!("look at the access list of `{}`", path.display());
    let seen = std::fs::symlink_metadata(path).doing(doing())?;
    if seen.is_symlink() {
        return Ok(Some("it is a link to somewhere else".to_owned()));
    }
    let text = files::of_file(path).doing(doing())?.unwrap_or_default();
    let Some(list) = sddl::parse(&text) else { return Ok(Some(format!("its access list `{text}` is not understood"))) };
    let own = files::own_sid().doing("tell who asks")?;
    let weak = judge::weaknesses(&list, Thing::Folder, &own);
    Ok((!weak.is_empty()).then(|| weak.join("; ")))
}

/// Why a folder is not ours alone.
#[cfg(not(windows))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on each system")]
pub(super) fn stranger(_: &Path) -> Result<Option<String>> {
    Ok(None)
}

/// Looked at when it is made: what lies in a user's folders here is reached by nobody else.
pub(super) const fn not_ours(_: &Path) -> Option<String> {
    None
}

/// A user's folders are found by who asks, not by a variable that another's shell left.
pub(super) const fn anothers_home(_: &Path) -> Option<(PathBuf, String)> {
    None
}

pub(super) fn program_names(name: &OsStr) -> Vec<OsString> {
    let with = |extension: &str| {
        let mut name = name.to_owned();
        name.push(extension);
        name
    };
    let mut names = vec![name.to_owned()];
    names.extend([".exe", ".com", ".bat", ".cmd"].map(with));
    names
}

pub(super) fn executable(path: &Path, _: &Metadata) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    matches!(extension.as_str(), "exe" | "com" | "bat" | "cmd")
}

/// Not told: an account may be local, of a domain, or virtual (`NT SERVICE\web`), and the service manager checks it.
pub(super) fn user_exists(_: &str) -> Option<bool> {
    None
}

/// Not told, as [`user_exists`].
pub(super) fn group_exists(_: &str) -> Option<bool> {
    None
}

/// Access lists are not looked at here; the host's own folders keep others out.
pub(super) fn open_to_all(_: &std::fs::Metadata) -> Option<bool> {
    None
}
