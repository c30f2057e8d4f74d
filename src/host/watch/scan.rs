//! What the patterns find on the machine now, and which folders tell of changes of that.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::glob::{Part, Pattern, fits};
use crate::host::sys;

/// More files and folders than this are not looked at: the watch of one service must not hold up the others.
const MOST: usize = 20_000;

/// What tells a file from a changed one: device, inode, length and time of change; of a folder only which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print(u64, u64, u64, Option<SystemTime>);

impl Print {
    fn of(path: &Path) -> Option<Self> {
        // Of a link, what it points to; where it points to nothing, the link.
        let data = path.metadata().or_else(|_| path.symlink_metadata()).ok()?;
        let (device, number) = sys::number_of(path, &data);
        if data.is_dir() {
            return Some(Self(device, number, 0, None));
        }
        Some(Self(device, number, data.len(), data.modified().ok()))
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// The files and folders that are watched.
    pub prints: BTreeMap<PathBuf, Print>,
    /// Why not everything is.
    pub trouble: Option<String>,
}

impl Scan {
    /// What was there before or is there now, and is not the same.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<PathBuf> {
        let gone = before.prints.keys().filter(|path| !self.prints.contains_key(*path));
        let new = self.prints.iter().filter(|(path, print)| before.prints.get(*path) != Some(*print));
        gone.chain(new.map(|(path, _)| path)).cloned().collect()
    }
}

/// Looks. `watch` is given each folder whose events matter, before what is in it is looked at: what changes in between is
/// told by an event. With `each_file` it is given the files, too: their folders do not tell what is written to them.
pub fn scan(patterns: &[Pattern], each_file: bool, watch: &mut dyn FnMut(&Path) -> io::Result<()>) -> Scan {
    let mut looker = Looker { watch, each_file, found: Scan::default(), looked: 0 };
    for pattern in patterns {
        looker.walk(&pattern.root, &pattern.parts, pattern.is_plain());
    }
    looker.found
}

struct Looker<'a> {
    watch: &'a mut dyn FnMut(&Path) -> io::Result<()>,
    each_file: bool,
    found: Scan,
    looked: usize,
}

impl Looker<'_> {
    fn walk(&mut self, folder: &Path, parts: &[Part], plain: bool) {
        let Some((part, rest)) = parts.split_first() else { return };
        match part {
            Part::Name(name) => self.named(folder, name, rest, plain),
            Part::Glob(glob) => {
                self.watched(folder);
                for (path, name) in self.entries(folder) {
                    if !fits(glob, &name) {
                        continue;
                    }
                    if rest.is_empty() {
                        self.matched(&path, false);
                    } else if path.is_dir() {
                        self.walk(&path, rest, false);
                    }
                }
            }
            Part::Deep => {
                self.watched(folder);
                self.walk(folder, rest, false);
                for (path, name) in self.entries(folder) {
                    // Links could lead in circles.
                    if !name.starts_with('.') && path.symlink_metadata().is_ok_and(|data| data.is_dir()) {
                        self.walk(&path, parts, false);
                    }
                }
            }
        }
    }

    fn named(&mut self, folder: &Path, name: &str, rest: &[Part], plain: bool) {
        let path = folder.join(name);
        let link = |data: &Metadata| data.file_type().is_symlink();
        let there = path.symlink_metadata();
        // A folder on the way is watched only where it is the nearest one that exists, or holds a link that may be switched.
        if rest.is_empty() || there.as_ref().map_or(true, link) || !path.is_dir() {
            self.watched(folder);
        }
        if rest.is_empty() {
            self.matched(&path, plain);
        } else if path.is_dir() {
            self.walk(&path, rest, plain);
        }
    }

    /// A file or folder that is meant; a folder that a path names stands for what is directly in it.
    fn matched(&mut self, path: &Path, whole: bool) {
        if !self.may_look() {
            return;
        }
        if self.each_file && path.is_file() {
            self.watched(path);
        }
        let Some(print) = Print::of(path) else { return };
        self.found.prints.insert(path.to_owned(), print);
        if path.symlink_metadata().is_ok_and(|data| data.file_type().is_symlink())
            && let Some(folder) = path.canonicalize().ok().as_deref().and_then(Path::parent)
        {
            self.watched(folder);
        }
        if whole && path.is_dir() {
            self.watched(path);
            for (entry, _) in self.entries(path) {
                self.matched(&entry, false);
            }
        }
    }

    fn watched(&mut self, folder: &Path) {
        match (self.watch)(folder) {
            Ok(()) => {}
            // It went away just now: its own end is an event of the folder above, or is seen by the next look.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => {
                let why = sys::watch_limit(&error).map_or_else(|| error.to_string(), str::to_owned);
                self.trouble(format!("changes in `{}` are not seen: {why}", folder.display()));
            }
        }
    }

    fn entries(&mut self, folder: &Path) -> Vec<(PathBuf, String)> {
        let mut entries = Vec::new();
        match std::fs::read_dir(folder) {
            Ok(read) => {
                for entry in read.flatten() {
                    if !self.may_look() {
                        break;
                    }
                    entries.push((entry.path(), entry.file_name().to_string_lossy().into_owned()));
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => self.trouble(format!("changes in `{}` are not seen: {error}", folder.display())),
        }
        entries
    }

    fn may_look(&mut self) -> bool {
        self.looked += 1;
        if self.looked > MOST {
            self.trouble(format!("its watched paths hold more than {MOST} files: changes of the rest are not seen"));
        }
        self.looked <= MOST
    }

    fn trouble(&mut self, what: String) {
        self.found.trouble.get_or_insert(what);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    /// What a pattern below a folder finds, and which folders it watches, both relative to the folder.
    fn look(root: &Path, pattern: &str) -> (Scan, Vec<String>, Vec<String>) {
        let mut folders = BTreeSet::new();
        let relative = |path: &Path| {
            path.strip_prefix(root).map_or("..".into(), |path| path.display().to_string().replace('\\', "/"))
        };
        let found = scan(&[Pattern::new(&format!("{}/{pattern}", root.display()))], false, &mut |folder| {
            folders.insert(relative(folder));
            Ok(())
        });
        let paths = found.prints.keys().map(|path| relative(path)).collect();
        (found, paths, folders.into_iter().collect())
    }

    #[test]
    fn patterns_find_files_and_name_the_folders_that_tell_of_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = &folder.path().canonicalize().expect("there");
        fs::create_dir_all(root.join("a/b/.git")).expect("folders");
        for file in ["a/one.toml", "a/.hidden.toml", "a/b/two.toml", "a/b/.git/three.toml", "a/other"] {
            fs::write(root.join(file), "").expect("write");
        }
        assert_eq!(look(root, "a/*.toml").1, ["a/one.toml"]);
        let (_, paths, folders) = look(root, "a/**/*.toml");
        assert_eq!(paths, ["a/b/two.toml", "a/one.toml"]);
        assert_eq!(folders, ["a", "a/b"]);
        let (_, paths, folders) = look(root, "a/b/two.toml");
        assert_eq!((paths, folders), (vec!["a/b/two.toml".to_owned()], vec!["a/b".to_owned()]));
        let (_, paths, folders) = look(root, "a/b");
        assert_eq!(paths, ["a/b", "a/b/.git", "a/b/two.toml"]);
        assert_eq!(folders, ["a", "a/b"]);
    }

    #[test]
    fn what_does_not_exist_yet_is_waited_for_in_the_nearest_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = &folder.path().canonicalize().expect("there");
        let (none, paths, folders) = look(root, "x/y/*.toml");
        assert_eq!((paths.len(), folders), (0, vec![String::new()]));
        fs::create_dir_all(root.join("x/y")).expect("folders");
        fs::write(root.join("x/y/a.toml"), "").expect("write");
        let (some, _, folders) = look(root, "x/y/*.toml");
        assert_eq!(folders, ["x/y"]);
        assert_eq!(some.changed_since(&none), [root.join("x/y/a.toml")]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_on_the_way_that_is_switched_is_a_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = &folder.path().canonicalize().expect("there");
        for release in ["v1", "v2"] {
            fs::create_dir(root.join(release)).expect("a folder");
            fs::write(root.join(release).join("a.toml"), "").expect("write");
        }
        std::os::unix::fs::symlink("v1", root.join("now")).expect("a link");
        let (before, paths, folders) = look(root, "now/a.toml");
        assert_eq!((paths, folders), (vec!["now/a.toml".to_owned()], vec![String::new(), "now".to_owned()]));
        std::os::unix::fs::symlink("v2", root.join("next")).expect("a link");
        fs::rename(root.join("next"), root.join("now")).expect("rename");
        assert_eq!(look(root, "now/a.toml").0.changed_since(&before), [root.join("now/a.toml")]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_watched_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let pattern = Pattern::new(&format!("{}/*", folder.path().display()));
        let found = scan(&[pattern], false, &mut |_| Err(io::Error::from_raw_os_error(libc::ENOSPC)));
        assert!(found.trouble.is_some_and(|text| text.contains("max_user_watches")));
    }
}
