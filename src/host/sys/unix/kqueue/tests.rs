//! The watcher on a model of kqueue, made of inotify by what kqueue(2) of macOS and of FreeBSD says: descriptors are
//! watched and not paths, a folder does not tell which entry, only a file itself tells that it was written to, an unlinked
//! one tells so though it is open, and what happens to one descriptor is one event until that is taken.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags as Flag, InitFlags, Inotify, WatchDescriptor};

use super::*;
use crate::host::watch::glob::Pattern;
use crate::host::watch::{Scan, scan};

/// To what is asked of the same file already.
const ADD: Flag = Flag::from_bits_retain(libc::IN_MASK_ADD);

#[derive(Debug)]
struct Model {
    inotify: Inotify,
    watched: RefCell<BTreeMap<i32, Known>>,
}

/// A descriptor that is watched.
#[derive(Debug)]
struct Known {
    file: File,
    wd: WatchDescriptor,
    notes: u32,
    is_gone: bool,
}

impl Queue for Model {
    fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, watched: RefCell::default() })
    }

    fn watch(&self, file: BorrowedFd<'_>, number: i32, notes: u32) -> io::Result<()> {
        let file = File::from(file.try_clone_to_owned()?);
        let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        let mut mask = Flag::IN_ATTRIB | Flag::IN_MOVE_SELF | ADD;
        mask |= if file.metadata()?.is_dir() {
            Flag::IN_CREATE | Flag::IN_DELETE | Flag::IN_MOVED_FROM | Flag::IN_MOVED_TO
        } else {
            Flag::IN_MODIFY
        };
        let wd = self.inotify.add_watch(&path, mask)?;
        // inotify says nothing of a folder's end while it is open; the one above does.
        if let Some(above) = path.parent() {
            self.inotify.add_watch(above, Flag::IN_DELETE | Flag::IN_MOVED_TO | ADD)?;
        }
        self.watched.borrow_mut().insert(number, Known { file, wd, notes, is_gone: false });
        Ok(())
    }

    fn take(&self) -> io::Result<Vec<(i32, u32)>> {
        let mut told: BTreeMap<i32, u32> = BTreeMap::new();
        let mut watched = self.watched.borrow_mut();
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            for event in events {
                for (number, known) in watched.iter().filter(|(_, known)| known.wd == event.wd) {
                    let is_folder = known.file.metadata()?.is_dir();
                    let note = match event.mask {
                        mask if mask.contains(Flag::IN_MODIFY) => note::WRITE | note::EXTEND,
                        mask if mask.contains(Flag::IN_MOVE_SELF) => note::RENAME,
                        mask if mask.contains(Flag::IN_ATTRIB) && event.name.is_none() => note::ATTRIB,
                        // The folder above a watched file is known for that alone.
                        mask if is_folder && !mask.contains(Flag::IN_ATTRIB) => note::WRITE,
                        _ => 0,
                    };
                    *told.entry(*number).or_default() |= note & known.notes;
                }
            }
        }
        for (number, known) in watched.iter_mut().filter(|(_, known)| !known.is_gone) {
            known.is_gone = known.file.metadata()?.nlink() == 0;
            if known.is_gone {
                *told.entry(*number).or_default() |= note::DELETE;
            }
        }
        Ok(told.into_iter().filter(|(_, notes)| *notes != 0).collect())
    }

    fn readiness(&self) -> io::Result<OwnedFd> {
        self.inotify.as_fd().try_clone_to_owned()
    }
}

/// Who watches as the engine does: told of something it looks, and watches what it then finds.
struct Eyes {
    watcher: Watching<Model>,
    patterns: Vec<Pattern>,
    watches: BTreeMap<PathBuf, i32>,
    seen: Scan,
    runtime: tokio::runtime::Runtime,
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Eyes {
    fn on(pattern: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let watcher = runtime.block_on(async { Watching::new() }).expect("a watcher");
        let patterns = vec![Pattern::new(&format!("{}/{pattern}", root.display()))];
        Self { watcher, patterns, watches: BTreeMap::new(), seen: Scan::default(), runtime, root, _folder: folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// What is not as it was at the last look.
    fn look(&mut self) -> Vec<PathBuf> {
        let mut watches = BTreeMap::new();
        let found = scan(&self.patterns, true, &mut |path| {
            watches.insert(path.to_owned(), self.watcher.add(path)?);
            Ok(())
        });
        let changed = found.changed_since(&self.seen);
        self.seen = found;
        for (_, old) in std::mem::replace(&mut self.watches, watches) {
            if !self.watches.values().any(|now| *now == old) {
                self.watcher.remove(old);
            }
        }
        changed
    }

    /// What is told next.
    fn told(&self) -> Vec<Touch> {
        let told = async { tokio::time::timeout(Duration::from_secs(60), self.watcher.next()).await };
        self.runtime.block_on(told).expect("nothing was told").expect("events")
    }

    /// Waits until something is told, and something has changed.
    fn changed(&mut self) -> Vec<String> {
        loop {
            self.told();
            let changed = self.look();
            if !changed.is_empty() {
                let name = |path: &PathBuf| path.strip_prefix(&self.root).expect("below").display().to_string();
                return changed.iter().map(name).collect();
            }
        }
    }

    fn number(&self, name: &str) -> i32 {
        self.watches[&self.path(name)]
    }
}

#[test]
fn what_is_not_there_yet_and_what_is_gone() {
    let mut eyes = Eyes::on("x/y/*.toml");
    assert!(eyes.look().is_empty());
    fs::create_dir_all(eyes.path("x/y")).expect("folders");
    fs::write(eyes.path("x/y/a.toml"), "1").expect("write");
    assert_eq!(eyes.changed(), ["x/y/a.toml"]);
    assert_eq!(eyes.watches.len(), 2, "the file and its folder: {:?}", eyes.watches);
    fs::remove_dir_all(eyes.path("x/y")).expect("remove");
    assert_eq!(eyes.changed(), ["x/y/a.toml"]);
    fs::create_dir(eyes.path("x/y")).expect("a folder");
    fs::write(eyes.path("x/y/b.toml"), "1").expect("write");
    assert_eq!(eyes.changed(), ["x/y/b.toml"]);
    assert_eq!(eyes.watcher.held.borrow().files.len(), 2, "what is over is not held open");
}

#[test]
fn a_file_tells_what_is_written_to_it() {
    let mut eyes = Eyes::on("a.toml");
    fs::write(eyes.path("a.toml"), "1").expect("write");
    eyes.look();
    let number = eyes.number("a.toml");
    fs::write(eyes.path("a.toml"), "22").expect("write");
    let told = eyes.told();
    assert!(told.contains(&Touch { watch: Some(number), name: None, what: What::Written }), "{told:?}");
    assert_eq!(eyes.look(), [eyes.path("a.toml")]);
    assert_eq!(eyes.number("a.toml"), number, "it is the same file");
}

#[test]
fn a_file_that_is_replaced_is_watched_on_as_the_new_one() {
    let mut eyes = Eyes::on("*.toml");
    fs::write(eyes.path("a.toml"), "1").expect("write");
    eyes.look();
    for text in ["22", "333"] {
        let before = eyes.number("a.toml");
        fs::write(eyes.path("a.new"), text).expect("write");
        fs::rename(eyes.path("a.new"), eyes.path("a.toml")).expect("rename");
        assert_eq!(eyes.changed(), ["a.toml"]);
        assert!(eyes.number("a.toml") > before, "another file, another number");
        assert_eq!(eyes.watcher.held.borrow().files.len(), 2);
        fs::write(eyes.path("a.toml"), format!("{text}, more")).expect("write");
        assert_eq!(eyes.changed(), ["a.toml"], "the new one tells, too");
    }
    // As some editors save: the old one moves aside, and lives on under another name.
    fs::rename(eyes.path("a.toml"), eyes.path("a.toml~")).expect("rename");
    fs::write(eyes.path("a.toml"), "4").expect("write");
    assert_eq!(eyes.changed(), ["a.toml"]);
    fs::write(eyes.path("a.toml"), "55").expect("write");
    assert_eq!(eyes.changed(), ["a.toml"]);
    assert_eq!(eyes.watcher.held.borrow().files.len(), 2, "the old one is let go");
}

#[test]
fn a_link_that_is_switched_and_a_file_that_it_leads_to() {
    let mut eyes = Eyes::on("now/a.toml");
    for release in ["v1", "v2"] {
        fs::create_dir(eyes.path(release)).expect("a folder");
        fs::write(eyes.path(release).join("a.toml"), "1").expect("write");
    }
    std::os::unix::fs::symlink("v1", eyes.path("now")).expect("a link");
    eyes.look();
    fs::write(eyes.path("v1/a.toml"), "22").expect("write");
    assert_eq!(eyes.changed(), ["now/a.toml"]);
    std::os::unix::fs::symlink("v2", eyes.path("next")).expect("a link");
    fs::rename(eyes.path("next"), eyes.path("now")).expect("rename");
    assert_eq!(eyes.changed(), ["now/a.toml"]);
}

#[test]
fn what_is_told_of_a_watch_that_is_over_concerns_nobody() {
    let mut eyes = Eyes::on("*.toml");
    fs::write(eyes.path("a.toml"), "1").expect("write");
    fs::write(eyes.path("b.toml"), "1").expect("write");
    eyes.look();
    let over = eyes.number("a.toml");
    eyes.watcher.remove(over);
    fs::write(eyes.path("a.toml"), "2").expect("write");
    fs::write(eyes.path("b.toml"), "2").expect("write");
    let told = eyes.told();
    assert!(told.iter().all(|touch| touch.watch == Some(eyes.number("b.toml"))), "{told:?}");
    let again = eyes.watcher.add(&eyes.path("a.toml")).expect("watched");
    assert!(again > over, "no number is given twice");
}

#[test]
fn the_services_are_left_half_of_the_descriptors() {
    let mut eyes = Eyes::on("*.toml");
    eyes.watcher.most = 3;
    for name in ["a.toml", "b.toml", "c.toml"] {
        fs::write(eyes.path(name), "1").expect("write");
    }
    assert_eq!(eyes.look().len(), 3, "what is not watched is seen by a look that something else brings about");
    let trouble = eyes.seen.trouble.clone().expect("trouble");
    assert!(trouble.contains(".toml` are not seen"), "{trouble}");
    fs::write(eyes.path("d.toml"), "1").expect("write");
    let more = eyes.watcher.add(&eyes.path("d.toml")).expect_err("too many");
    assert!(watch_limit(&more).is_some_and(|why| why.contains("limit of open files")), "{more}");
    assert!(watch_limit(&io::ErrorKind::NotFound.into()).is_none());
}

#[test]
fn events_have_one_meaning_each() {
    for (is_folder, told, wanted) in [
        (false, note::WRITE | note::EXTEND, What::Written),
        (false, note::CLOSE_WRITE, What::Written),
        (true, note::WRITE, What::Other),
        (true, note::WRITE | note::LINK, What::Other),
        (false, note::ATTRIB, What::Other),
        (false, note::RENAME, What::Other),
        (false, note::WRITE | note::DELETE, What::Over),
        (true, note::REVOKE, What::Over),
    ] {
        assert_eq!(what(is_folder, told), wanted, "{told:#x}");
    }
    assert_eq!(notes(true) & note::CLOSE_WRITE, 0, "a folder is not written to");
    assert_ne!(notes(true) & note::WRITE, 0);
}
