//! Files of the machine: looked at without following links, replaced as a whole or not at all.
//!
//! Every change goes by the folder, not by the path: the way there is walked one component at a time (see
//! `walk.rs`), and what happens at its end is done relative to the open folder. So nobody who may write in some
//! folder on the way can send a write elsewhere by planting a link.
//!
//! A file is written to a temporary beside it, which only its owner can read until its final mode is set, synced,
//! and renamed. A [`Batch`] puts off the syncs of many files to its end, where they cost little more than one:
//! until [`Batch::commit`] a power cut (not a crash of the program) may undo or empty them, so whoever uses one
//! keeps a journal that can do it again.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;

#[cfg(unix)]
mod place;
#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod walk;
#[cfg(not(unix))]
use portable as sys;
#[cfg(unix)]
use unix as sys;

#[cfg(unix)]
pub use place::{Place, open_given};
pub use sys::Log;
#[cfg(not(unix))]
pub use sys::open_given;

/// Larger files are not read: nothing that daemonctl reads or writes comes near.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Temporaries are named with this and a random number, so that [`sweep`] knows them.
const TEMPORARY: &str = ".daemonctl-";

/// What is at a path. A symbolic link there is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or not even its folder.
    Absent,
    /// A regular file.
    File {
        /// Its bytes.
        content: Vec<u8>,
        /// Permission bits, 0 to 0o7777.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// A symbolic link.
    Link {
        /// What it says, whether that exists or not.
        target: PathBuf,
    },
    /// A folder.
    Folder,
    /// A socket, a device, a pipe.
    Other,
}

/// Looks at a path without following a link at its end.
pub fn look(path: &Path) -> Result<Found> {
    let (folder, name) = split(path)?;
    match sys::Folder::open(folder)? {
        Some(folder) => folder.look(name).doing(format_args!("read `{}`", path.display())),
        None => Ok(Found::Absent),
    }
    .map_err(|error| with_remedy(error, path))
}

/// The content of a regular file; None: nothing there. Anything else there is an error.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match look(path)? {
        Found::Absent => Ok(None),
        Found::File { content, .. } => Ok(Some(content)),
        Found::Link { .. } | Found::Folder | Found::Other => {
            Err(Error::failed(format!("`{}` is not a regular file", path.display())))
        }
    }
}

/// The names in a folder, sorted, without daemonctl's temporaries; empty where there is no such folder.
pub fn list(folder: &Path) -> Result<Vec<OsString>> {
    let mut names = all_names(folder)?;
    names.retain(|name| !is_temporary(name));
    Ok(names)
}

fn all_names(folder: &Path) -> Result<Vec<OsString>> {
    let Some(open) = sys::Folder::open(folder)? else { return Ok(Vec::new()) };
    let mut names =
        open.names().doing(format_args!("list `{}`", folder.display())).map_err(|error| with_remedy(error, folder))?;
    names.sort();
    Ok(names)
}

/// When something was last put into a folder or taken out of it; None: there is no such folder, or it is not told.
#[must_use]
pub fn changed(folder: &Path) -> Option<std::time::SystemTime> {
    std::fs::symlink_metadata(folder).ok().filter(std::fs::Metadata::is_dir)?.modified().ok()
}

/// The same, if that is long enough ago that a later change has another time; by the clock that the file system has too.
#[must_use]
pub fn settled(folder: &Path) -> Option<std::time::SystemTime> {
    // Times of files have the kernel's tick, 10 ms at most.
    const YOUNG: std::time::Duration = std::time::Duration::from_millis(100);
    let changed = changed(folder)?;
    std::time::SystemTime::now().duration_since(changed).is_ok_and(|age| age > YOUNG).then_some(changed)
}

/// Looks at everything in a folder, as [`list`] and [`look`] would one by one, with one walk to the folder.
pub fn look_in(folder: &Path) -> Result<Vec<(OsString, Found)>> {
    look_at(folder, list(folder)?)
}

/// Looks at these names in a folder, with one walk to the folder; nothing where there is no such folder.
pub fn look_at(folder: &Path, names: Vec<OsString>) -> Result<Vec<(OsString, Found)>> {
    let Some(open) = sys::Folder::open(folder)? else { return Ok(Vec::new()) };
    let look = |name: OsString| {
        let path = folder.join(&name);
        let found = open.look(&name).doing(format_args!("read `{}`", path.display()));
        Ok((name, found.map_err(|error| with_remedy(error, &path))?))
    };
    names.into_iter().map(look).collect()
}

/// Puts a file there, whatever file or link was there before. `mode`: permission bits, whatever the umask.
pub fn replace(path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> Result<()> {
    let mut batch = Batch::new();
    batch.replace(path, content, mode, owner)?;
    batch.commit()
}

/// Puts a symbolic link there, whatever file or link was there before.
pub fn replace_link(path: &Path, target: &Path) -> Result<()> {
    let mut batch = Batch::new();
    batch.replace_link(path, target)?;
    batch.commit()
}

/// Removes a file or link; false: there was none.
pub fn remove(path: &Path) -> Result<bool> {
    let mut batch = Batch::new();
    let removed = batch.remove(path)?;
    batch.commit()?;
    Ok(removed)
}

/// Makes a folder and those above it, each that is missing with exactly `mode`. Gives those that it made,
/// outermost first.
pub fn make_folders(path: &Path, mode: u32) -> Result<Vec<PathBuf>> {
    let mut batch = Batch::new();
    let created = batch.make_folders(path, mode)?;
    batch.commit()?;
    Ok(created)
}

/// Makes a folder that belongs to somebody, and those above it, which stay ours. False: it was there.
pub fn make_folder_of(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<bool> {
    if let Some(parent) = path.parent() {
        make_folders(parent, 0o755)?;
    }
    sys::Folder::make_of(path, mode, owner).map_err(|error| with_remedy(error, path))
}

/// Removes a folder if nothing is in it; false: something is, or it was not there.
pub fn remove_folder_if_empty(path: &Path) -> Result<bool> {
    let mut batch = Batch::new();
    let removed = batch.remove_folder_if_empty(path)?;
    batch.commit()?;
    Ok(removed)
}

/// Takes a folder for an image: what is done below it stays below it, whatever links it has.
pub fn confine(image: &Path) {
    #[cfg(unix)]
    walk::confine(image);
    // Elsewhere no link is gone through at all.
    #[cfg(not(unix))]
    let _ = image;
}

/// Removes a folder with all that is in it, or a file or link; false: nothing there. Links in it are removed, not
/// followed.
pub fn remove_tree(path: &Path) -> Result<bool> {
    let (folder, name) = split(path)?;
    let Some(folder) = sys::Folder::open(folder)? else { return Ok(false) };
    folder
        .remove_tree(name)
        .doing(format_args!("remove `{}`", path.display()))
        .map_err(|error| with_remedy(error, path))
}

/// Removes the temporaries that a killed daemonctl left in a folder. Only under the lock of the scope that the
/// folder belongs to: a temporary of a living process looks the same. Gives their number.
pub fn sweep(folder: &Path) -> Result<usize> {
    let mut batch = Batch::new();
    let mut swept = 0;
    for name in all_names(folder)?.into_iter().filter(|name| is_temporary(name)) {
        swept += usize::from(batch.remove(&folder.join(name))?);
    }
    batch.commit()?;
    Ok(swept)
}

/// Opens a lock file for reading and writing; makes it, readable by nobody else, where it is missing.
pub(super) fn open_lock(path: &Path) -> Result<std::fs::File> {
    let (folder, name) = split(path)?;
    let missing = || Error::failed(format!("the folder `{}` does not exist", folder.display()));
    let folder = sys::Folder::open(folder)?.ok_or_else(missing)?;
    folder.open_lock(name).doing(format_args!("open `{}`", path.display())).map_err(|error| with_remedy(error, path))
}

/// Several changes, made durable together at the end.
///
/// Each change is there for every process as soon as its call returns; [`commit`](Self::commit) makes them
/// outlast a power cut.
#[derive(Debug, Default)]
pub struct Batch {
    folders: BTreeMap<PathBuf, sys::Folder>,
    written: Vec<sys::Written>,
    dirty: BTreeSet<PathBuf>,
}

impl Batch {
    /// Open files that are kept for one round of syncs; far below the usual limit of 1024 descriptors.
    const ROUND: usize = 256;

    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`replace`].
    pub fn replace(&mut self, path: &Path, content: &[u8], mode: u32, owner: Option<(u32, u32)>) -> Result<()> {
        if self.written.len() >= Self::ROUND {
            self.sync_files()?;
        }
        let written = self.change(path, "write", |folder, name| folder.put(name, content, mode, owner))?;
        self.written.push(written);
        Ok(())
    }

    /// As [`replace_link`].
    pub fn replace_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        self.change(path, "make the link", |folder, name| folder.put_link(name, target))
    }

    /// As [`remove`].
    pub fn remove(&mut self, path: &Path) -> Result<bool> {
        let (folder, name) = split(path)?;
        if !self.open(folder)? {
            return Ok(false);
        }
        let removed = self.folders[folder]
            .remove(name)
            .doing(format_args!("remove `{}`", path.display()))
            .map_err(|error| with_remedy(error, path))?;
        self.dirty.extend(removed.then(|| folder.to_owned()));
        Ok(removed)
    }

    /// As [`make_folders`].
    pub fn make_folders(&mut self, path: &Path, mode: u32) -> Result<Vec<PathBuf>> {
        if self.open(path)? {
            return Ok(Vec::new());
        }
        let created = sys::Folder::make(path, mode).map_err(|error| with_remedy(error, path))?;
        for folder in created.iter().filter_map(|path| path.parent()) {
            if self.open(folder)? {
                self.dirty.insert(folder.to_owned());
            }
        }
        Ok(created)
    }

    /// As [`remove_folder_if_empty`].
    pub fn remove_folder_if_empty(&mut self, path: &Path) -> Result<bool> {
        let (folder, name) = split(path)?;
        if !self.open(folder)? {
            return Ok(false);
        }
        let removed = self.folders[folder]
            .remove_folder(name)
            .doing(format_args!("remove the folder `{}`", path.display()))
            .map_err(|error| with_remedy(error, path))?;
        if removed {
            self.folders.retain(|open, _| !open.starts_with(path));
            self.dirty.retain(|dirty| !dirty.starts_with(path));
            self.dirty.insert(folder.to_owned());
        }
        Ok(removed)
    }

    /// Makes every change so far outlast a power cut.
    pub fn commit(mut self) -> Result<()> {
        self.sync_files()?;
        for path in &self.dirty {
            if let Some(folder) = self.folders.get(path) {
                folder.sync().doing(format_args!("sync the folder `{}`", path.display()))?;
            }
        }
        Ok(())
    }

    fn sync_files(&mut self) -> Result<()> {
        // The disk is given all of it to write before the first wait, so that the waits overlap.
        if self.written.len() > 1 {
            self.written.iter().for_each(sys::Written::start_sync);
        }
        for written in self.written.drain(..) {
            written.sync().doing("sync a written file")?;
        }
        Ok(())
    }

    fn change<T>(
        &mut self,
        path: &Path,
        verb: &str,
        change: impl Fn(&sys::Folder, &OsStr) -> std::io::Result<T>,
    ) -> Result<T> {
        let (folder, name) = split(path)?;
        if !self.open(folder)? {
            return Err(Error::failed(format!(
                "cannot {verb} `{}`: the folder `{}` does not exist",
                path.display(),
                folder.display()
            )));
        }
        let changed = change(&self.folders[folder], name)
            .doing(format_args!("{verb} `{}`", path.display()))
            .map_err(|error| with_remedy(error, path))?;
        self.dirty.insert(folder.to_owned());
        Ok(changed)
    }

    /// Whether there is such a folder; if so, it is open.
    fn open(&mut self, folder: &Path) -> Result<bool> {
        if !self.folders.contains_key(folder) {
            match sys::Folder::open(folder).map_err(|error| with_remedy(error, folder))? {
                Some(open) => self.folders.insert(folder.to_owned(), open),
                None => return Ok(false),
            };
        }
        Ok(true)
    }
}

fn split(path: &Path) -> Result<(&Path, &OsStr)> {
    match (path.is_absolute(), path.parent(), path.file_name()) {
        (true, Some(folder), Some(name)) => Ok((folder, name)),
        _ => Err(Error::failed(format!("`{}` is not the absolute path of a file", path.display()))),
    }
}

fn with_remedy(error: Error, path: &Path) -> Error {
    if error.exit() == Exit::NotPermitted && error.hints().is_empty() && !super::machine::is_root() {
        let home = super::machine::home();
        if home.is_some_and(|home| path.starts_with(home)) {
            return error.hint(format!("look at who owns `{}` and its folders", path.display()));
        }
        let elevated = if cfg!(windows) { "in an elevated prompt (\"Run as administrator\")" } else { "with sudo" };
        return error.hint(format!("run it {elevated}, or with `--user` for services of your own"));
    }
    error
}

fn is_temporary(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(TEMPORARY))
}

/// A name that nothing has yet, most likely; who takes it sees to the rest by creating it exclusively.
fn temporary_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Keyed by the system's randomness, and anew for each call.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{TEMPORARY}{random:016x}")
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
