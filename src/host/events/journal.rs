//! Writing the journal. Trouble with it hurts nobody: what can't be written is counted, and the next write tries again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{MOST, older};
use crate::host::sys;
use crate::layout::{Layout, Scope};
use crate::system::files;

/// A journal that is written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    mode: u32,
    most: u64,
    file: Option<(File, u64)>,
    /// Writes that failed.
    pub failed: u64,
}

impl Journal {
    /// Of that file; nothing is opened before there is something to write.
    #[must_use]
    pub fn new(layout: &Layout, path: PathBuf) -> Self {
        let mode = match layout.scope {
            Scope::System => 0o640,
            Scope::User => 0o600,
        };
        Self { path, mode, most: MOST, file: None, failed: 0 }
    }

    /// Appends whole lines.
    pub fn append(&mut self, lines: &[u8]) {
        if self.try_append(lines).is_err() {
            self.failed += 1;
            self.file = None;
        }
    }

    fn try_append(&mut self, lines: &[u8]) -> io::Result<()> {
        // Somebody deleted it: what is written there nobody will read.
        if self.file.as_ref().is_some_and(|(file, _)| sys::is_deleted(file)) {
            self.file = None;
        }
        if self.file.as_ref().is_some_and(|(_, size)| *size >= self.most) {
            self.file = None;
            std::fs::rename(&self.path, older(&self.path))?;
        }
        let (file, size) = match &mut self.file {
            Some(open) => open,
            empty => empty.insert(open(&self.path, self.mode)?),
        };
        file.write_all(lines)?;
        *size += lines.len() as u64;
        Ok(())
    }
}

fn open(path: &Path, mode: u32) -> io::Result<(File, u64)> {
    let mut file = match sys::open_journal(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                files::make_folders(folder, mode | 0o110 | 0o700).map_err(io::Error::other)?;
            }
            sys::open_journal(path, mode)?
        }
        opened => opened?,
    };
    let size = file.metadata()?.len();
    if size > 0 {
        // A host that was killed, or a full disk, may have left half a line, which ours must not continue.
        let mut last = [0];
        let read = file.seek(SeekFrom::Start(size - 1)).and_then(|_| file.read_exact(&mut last));
        if read.is_ok() && last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Query, What};
    use crate::report::State;

    fn layout(folder: &Path) -> Layout {
        Layout { state: folder.to_owned(), scope: Scope::User, ..Layout::unix_system() }
    }

    fn event(unit: &str, second: i64) -> Event {
        Event::new(jiff::Timestamp::from_second(second).unwrap(), unit, What::Ready, State::Running)
    }

    #[test]
    fn it_never_grows_beyond_two_files_and_what_is_left_is_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        let mut journal = Journal::new(&layout, super::super::of_supervisor(&layout));
        journal.most = 1000;
        for second in 0..100 {
            journal.append(&event("web", second).line());
        }
        assert_eq!(journal.failed, 0);
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&journal.path) < 1200 && size(&older(&journal.path)) < 1200);
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(std::fs::metadata(&journal.path).unwrap().mode() & 0o777, 0o600);
        }
        let found = super::super::read::all(&layout, &|_| true, &Query::default()).unwrap();
        let seconds: Vec<_> = found.iter().map(|event| event.time.as_second()).collect();
        assert!(seconds.len() > 10 && seconds.is_sorted() && seconds.last() == Some(&99), "{seconds:?}");
    }

    // Elsewhere a file that is open keeps its name for as long.
    #[cfg(unix)]
    #[test]
    fn a_half_line_is_not_continued_and_a_deleted_file_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        let path = super::super::of_shim(&layout, "web");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"{\"time\":\"2026").unwrap();
        let mut journal = Journal::new(&layout, path.clone());
        journal.append(&event("web", 1).line());
        assert_eq!(super::super::read::all(&layout, &|_| true, &Query::default()).unwrap(), [event("web", 1)]);
        std::fs::remove_file(&path).unwrap();
        journal.append(&event("web", 2).line());
        assert_eq!(super::super::read::all(&layout, &|_| true, &Query::default()).unwrap(), [event("web", 2)]);
    }

    // What it costs elsewhere is not the same.
    #[cfg(unix)]
    #[test]
    fn a_crash_loop_costs_no_sync_and_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        let path = super::super::of_shim(&layout, "web");
        let mut journal = Journal::new(&layout, path.clone());
        let line = event("web", 1).because("exited with code 3").line();
        // An hour of it at ten a second, each event by itself. The least of many: a busy machine is not what is measured.
        let mut least = std::time::Duration::MAX;
        for _ in 0..36 {
            let began = std::time::Instant::now();
            (0..1000).for_each(|_| journal.append(&line));
            least = least.min(began.elapsed() / 1000);
        }
        eprintln!("an event: {least:?}");
        assert!(least < std::time::Duration::from_micros(200), "{least:?}");
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |there| there.len());
        assert!(size(&path) + size(&older(&path)) <= 2 * (MOST + line.len() as u64));
        assert_eq!(journal.failed, 0);
    }
}
