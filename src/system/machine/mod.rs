//! This machine: who we are on it, where daemonctl's folders lie, and the facts that a manifest is resolved by.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::facts::{Facts, PathKind};
use crate::layout::{Layout, Scope};

#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;
#[cfg(not(unix))]
use portable as sys;
#[cfg(unix)]
use unix as sys;

pub use sys::{account, euid, ids, is_root};
#[cfg(unix)]
pub use sys::{group_of, user_of};

/// The operating system as `[service.NAME.on.OS]` names it.
#[must_use]
pub const fn os_name() -> &'static str {
    std::env::consts::OS
}

/// Whose services a command means that does not say: the machine's for root or an elevated administrator.
#[must_use]
pub fn default_scope() -> Scope {
    if is_root() { Scope::System } else { Scope::User }
}

/// The home folder.
#[must_use]
pub fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

/// Where daemonctl keeps its things on this machine; `root` puts all of it below a folder. Makes nothing.
pub fn layout(scope: Scope, root: Option<PathBuf>) -> Result<Layout> {
    let layout = match scope {
        Scope::System => sys::system_layout(),
        Scope::User if root.is_none() => {
            let layout = user_layout()?;
            check_own(&layout)?;
            layout
        }
        Scope::User => user_layout()?,
    };
    let root = root.map(|root| super::absolute(&root)).transpose().map_err(|error| error.context("`--root`"))?;
    if let Some(image) = &root {
        super::files::confine(image);
    }
    Ok(layout.under(root))
}

fn user_layout() -> Result<Layout> {
    let homeless = || {
        Error::failed("your home folder is not known").hint("set HOME, or use `--system` for the machine's services")
    };
    let base = directories::BaseDirs::new().ok_or_else(homeless)?;
    let own = directories::ProjectDirs::from("", "", "daemonctl").ok_or_else(homeless)?;
    Ok(sys::user_layout(&base, &own))
}

/// Refuses folders of a user that are another's: what lies in them would be believed, and as root written to.
fn check_own(layout: &Layout) -> Result<()> {
    if let Some(why) = sys::not_ours(&layout.runtime) {
        return Err(strange(&layout.runtime, &why));
    }
    for folder in [&layout.state, &layout.config] {
        if let Some((place, who)) = sys::anothers_home(folder) {
            return Err(Error::not_permitted(format!(
                "you are root, and `{}` belongs to `{who}`: a user's services are theirs to install",
                place.display()
            ))
            .hint(format!("run it as `{who}`, without sudo; or leave out `--user` for the machine's services"))
            .hint("for services of root's own, set HOME (and XDG_CONFIG_HOME, XDG_STATE_HOME) to folders of root's"));
        }
    }
    Ok(())
}

/// The program of that name in the system's own folders, for root; None: not found there, or we are not root.
#[must_use]
pub fn own_program(name: &OsStr) -> Option<PathBuf> {
    let bare = Path::new(name).components().count() == 1 && !name.as_encoded_bytes().contains(&b'/');
    if !bare || !is_root() {
        return None;
    }
    sys::SEARCH.iter().map(|folder| Path::new(folder).join(name)).find(|path| path_kind(path) == PathKind::Executable)
}

/// On Windows what concerns the machine takes an elevated administrator: said before anything is begun.
pub fn check_elevated(scope: Scope) -> Result<()> {
    if !cfg!(windows) || scope == Scope::User || is_root() {
        return Ok(());
    }
    let words: Vec<String> =
        std::env::args_os().map(|word| crate::quote::windows::Argument(&word.to_string_lossy()).to_string()).collect();
    Err(Error::not_permitted("the machine's services can be changed by an elevated administrator only")
        .hint(format!("in a prompt that was opened with \"Run as administrator\": {}", words.join(" ")))
        .hint("`--user` is for services of your own"))
}

/// Makes the folder of the state, and sees that nobody else can write there.
pub fn make_state_folders(layout: &Layout) -> Result<()> {
    make_own(&layout.on_disk(&layout.state), folder_mode(layout.scope))
}

/// Makes the folder of locks, sockets and state files of the run, and sees that nobody else can write there.
pub fn make_runtime_folder(layout: &Layout) -> Result<()> {
    make_own(&layout.on_disk(&layout.runtime), folder_mode(layout.scope))
}

const fn folder_mode(scope: Scope) -> u32 {
    match scope {
        Scope::System => 0o755,
        Scope::User => 0o700,
    }
}

/// Makes a folder that is root's or ours alone; refuses one that somebody else made first or can write in.
fn make_own(path: &Path, mode: u32) -> Result<()> {
    sys::make_guarded(path, mode)?;
    sys::stranger(path)?.map_or(Ok(()), |why| Err(strange(path, &why)))
}

fn strange(path: &Path, why: &str) -> Error {
    Error::not_permitted(format!("refused to use the folder `{}`: {why}", path.display()))
        .hint("look at what is in it, then remove it or give it to yourself with mode 0755")
}

/// This machine, as resolving sees it.
#[derive(Debug, Clone)]
pub struct Local {
    search: Vec<PathBuf>,
}

impl Local {
    /// For services of a scope: bare program names are looked for on the manager's usual path, in user scope on the
    /// caller's PATH after that.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        let mut search: Vec<PathBuf> = sys::SEARCH.iter().map(PathBuf::from).collect();
        if scope == Scope::User || search.is_empty() {
            let own = std::env::var_os("PATH").unwrap_or_default();
            search.extend(std::env::split_paths(&own).filter(|folder| folder.is_absolute()));
        }
        Self { search }
    }
}

impl Facts for Local {
    fn env(&self, name: &str) -> Option<String> {
        super::env(name)
    }

    fn path(&self, path: &Path) -> Option<PathKind> {
        Some(path_kind(path))
    }

    fn open_to_all(&self, path: &Path) -> Option<bool> {
        sys::open_to_all(&std::fs::metadata(path).ok()?)
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        let found = |folder: &PathBuf| {
            sys::program_names(OsStr::new(name))
                .into_iter()
                .map(|name| folder.join(name))
                .find(|path| path_kind(path) == PathKind::Executable)
        };
        self.search.iter().find_map(found)
    }

    fn user_exists(&self, name: &str) -> Option<bool> {
        sys::user_exists(name)
    }

    fn group_exists(&self, name: &str) -> Option<bool> {
        sys::group_exists(name)
    }

    fn local(&self) -> bool {
        true
    }
}

fn path_kind(path: &Path) -> PathKind {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::metadata(path) {
        Ok(seen) if seen.is_dir() => PathKind::Folder,
        Ok(seen) if !seen.is_file() => PathKind::Other,
        Ok(seen) if sys::executable(path, &seen) => PathKind::Executable,
        Ok(_) => PathKind::File,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => PathKind::Missing,
        Err(_) => PathKind::Unreadable,
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("data"), "x").unwrap();
        std::fs::write(at("tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(at("tool"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("tool", at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        let local = Local::new(Scope::System);
        let kind = |path: &Path| local.path(path).unwrap();
        assert_eq!(kind(&at("data")), PathKind::File);
        assert_eq!(kind(&at("tool")), PathKind::Executable);
        assert_eq!(kind(&at("link")), PathKind::Executable);
        assert_eq!(kind(&at("dangling")), PathKind::Missing);
        assert_eq!(kind(&at("data/below")), PathKind::Missing);
        assert_eq!(kind(folder.path()), PathKind::Folder);
        assert_eq!(kind(Path::new("/dev/null")), PathKind::Other);
        std::fs::set_permissions(at("data"), PermissionsExt::from_mode(0o640)).unwrap();
        assert_eq!(local.open_to_all(&at("data")), Some(false));
        assert_eq!(local.open_to_all(&at("tool")), Some(true));
        assert_eq!(local.open_to_all(&at("none")), None);
    }

    #[test]
    fn programs_are_found_by_the_managers_path() {
        let local = Local::new(Scope::System);
        let sh = local.program("sh").unwrap();
        assert!(sh.is_absolute() && sh.ends_with("sh"), "{}", sh.display());
        assert_eq!(local.program("no-such-program-anywhere"), None);
    }

    #[test]
    fn accounts_are_looked_up() {
        let local = Local::new(Scope::System);
        assert_eq!(local.user_exists("root"), Some(true));
        assert_eq!(local.user_exists("0"), Some(true));
        assert_eq!(local.user_exists("no-such-user-anywhere"), Some(false));
        assert_eq!(local.group_exists("no-such-group-anywhere"), Some(false));
    }

    #[test]
    fn a_root_goes_before_what_is_touched_only() {
        let layout = layout(Scope::System, Some("/image".into())).unwrap();
        assert!(!layout.state.starts_with("/image"));
        assert!(layout.on_disk(&layout.state).starts_with("/image"));
    }

    #[test]
    fn a_users_folders_that_are_somebody_elses_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let own = |runtime: &str| Layout {
            scope: Scope::User,
            state: root.path().join("state/daemonctl"),
            runtime: root.path().join(runtime),
            config: root.path().join("config"),
            ..Layout::unix_system()
        };
        // As one in `/tmp` is that somebody else made first.
        std::fs::create_dir(root.path().join("open")).unwrap();
        std::fs::set_permissions(root.path().join("open"), PermissionsExt::from_mode(0o777)).unwrap();
        let error = check_own(&own("open")).unwrap_err();
        assert!(error.to_string().contains("others may write"), "{error}");
        check_own(&own("none")).unwrap();
        if !is_root() {
            eprintln!("skipped: giving a folder away needs root");
            return;
        }
        std::os::unix::fs::chown(root.path(), Some(65534), None).unwrap();
        let error = check_own(&own("none")).unwrap_err();
        assert!(error.to_string().contains("you are root, and"), "{error}");
        assert_eq!(error.exit(), crate::exit::Exit::NotPermitted);
    }

    #[test]
    fn root_runs_the_systems_programs_whatever_its_path() {
        assert_eq!(own_program(OsStr::new("./sh")), None);
        assert_eq!(own_program(OsStr::new("/bin/sh")), None);
        assert_eq!(own_program(OsStr::new("no-such-program-anywhere")), None);
        assert_eq!(own_program(OsStr::new("sh")).is_some(), is_root());
    }

    #[test]
    fn a_state_folder_that_others_can_write_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let layout = layout(Scope::System, Some(root.path().to_owned())).unwrap();
        make_state_folders(&layout).unwrap();
        make_state_folders(&layout).unwrap();
        let state = layout.on_disk(&layout.state);
        assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o7777, 0o755);
        std::fs::set_permissions(&state, PermissionsExt::from_mode(0o777)).unwrap();
        let error = make_state_folders(&layout).unwrap_err();
        assert!(error.to_string().contains("others may write"), "{error}");
    }

    #[test]
    fn a_state_folder_that_is_somebody_elses_is_refused() {
        if !is_root() {
            eprintln!("skipped: giving a folder away needs root");
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let layout = layout(Scope::System, Some(root.path().to_owned())).unwrap();
        make_state_folders(&layout).unwrap();
        let state = layout.on_disk(&layout.state);
        std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
        let error = make_state_folders(&layout).unwrap_err();
        assert!(error.to_string().contains("belongs to"), "{error}");
    }
}
