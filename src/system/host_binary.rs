//! The host's own binary: a copy of daemonctl that units and the supervisor run.
//!
//! It is named by version and build, so an upgrade of daemonctl puts another one beside it and a running
//! service keeps the program that it was started with. The build is told at compile time (`build.rs`), which makes
//! the name free to know; installing the same daemonctl again, wherever from, gives the same name and so no change.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::files::{self, Found};
use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;
use crate::layout::Layout;

/// Where this daemonctl's copy is, or will be, on the target machine.
pub fn path(layout: &Layout) -> Result<PathBuf> {
    Ok(layout.host_binaries().join(name()))
}

/// Makes the copy if it is not there, and gives [`path`].
pub fn ensure(layout: &Layout) -> Result<PathBuf> {
    let path = path(layout)?;
    let on_disk = layout.on_disk(&path);
    let own = own_program()?;
    let size =
        |path: &Path| std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file).map(|seen| seen.len());
    let wanted = std::fs::metadata(&own).doing("look at daemonctl's own program")?.len();
    // The name stands for the content, and a copy appears whole or not at all; a wrong size was somebody else.
    if size(&on_disk) != Some(wanted) {
        files::make_folders(&layout.on_disk(&layout.host_binaries()), 0o755)?;
        let content = std::fs::read(&own).doing("read daemonctl's own program")?;
        files::replace(&on_disk, &content, 0o755, None)?;
    }
    Ok(path)
}

/// Removes the copies that are neither ours nor in `used` (paths on the target machine). Gives those it removed.
pub fn prune(layout: &Layout, used: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let folder = layout.host_binaries();
    let mut pruned = Vec::new();
    for name in files::list(&layout.on_disk(&folder))? {
        let path = folder.join(&name);
        if is_copy(&name) && name != *self::name() && !used.contains(&path) && remove(&layout.on_disk(&path))? {
            pruned.push(path);
        }
    }
    Ok(pruned)
}

/// Removes our copy too, and its folder, where no host is left.
pub fn remove_all(layout: &Layout) -> Result<()> {
    prune(layout, &[])?;
    let ours = layout.on_disk(&path(layout)?);
    if !matches!(files::look(&layout.on_disk(&layout.host_binaries()))?, Found::Absent) {
        remove(&ours)?;
        files::remove_folder_if_empty(&layout.on_disk(&layout.host_binaries()))?;
    }
    Ok(())
}

/// Removes a copy. Windows keeps a program that runs: that of a supervisor which is just ending is waited for, and what
/// is still there then is left for the next time. False: it is there still, or was not.
fn remove(path: &Path) -> Result<bool> {
    let mut tries = 40;
    loop {
        match files::remove(path) {
            Err(error) if cfg!(windows) && error.exit() == Exit::NotPermitted => {
                tries -= 1;
                if tries == 0 {
                    return Ok(false);
                }
                super::pause(std::time::Duration::from_millis(50));
            }
            removed => return removed,
        }
    }
}

fn name() -> String {
    format!("{PREFIX}{}-{}{}", env!("CARGO_PKG_VERSION"), env!("DAEMONCTL_BUILD"), std::env::consts::EXE_SUFFIX)
}

const PREFIX: &str = "daemonctl-";

fn is_copy(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX))
}

/// The file that is running, even when another one has taken its name since.
fn own_program() -> Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(|error| Error::io("find daemonctl's own program", &error))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::layout::Scope;

    #[test]
    fn the_copy_runs_is_made_once_and_the_unused_are_pruned() {
        use std::os::unix::fs::MetadataExt;
        let root = tempfile::tempdir().unwrap();
        let layout = crate::system::machine::layout(Scope::System, Some(root.path().to_owned())).unwrap();
        let path = ensure(&layout).unwrap();
        assert!(!path.starts_with(root.path()));
        let on_disk = layout.on_disk(&path);
        let made = std::fs::metadata(&on_disk).unwrap();
        assert_eq!(made.mode() & 0o7777, 0o755);
        assert_eq!(made.len(), std::fs::metadata(std::env::current_exe().unwrap()).unwrap().len());
        assert_eq!(ensure(&layout).unwrap(), path);
        assert_eq!(std::fs::metadata(&on_disk).unwrap().ino(), made.ino());

        let folder = layout.host_binaries();
        for name in ["daemonctl-0.0.1-old", "daemonctl-0.0.2-used", "else"] {
            std::fs::write(layout.on_disk(&folder.join(name)), "").unwrap();
        }
        let pruned = prune(&layout, &[folder.join("daemonctl-0.0.2-used")]).unwrap();
        assert_eq!(pruned, [folder.join("daemonctl-0.0.1-old")]);
        assert!(on_disk.exists());
        remove_all(&layout).unwrap();
        assert!(!on_disk.exists());
        remove_all(&layout).unwrap();
    }
}
