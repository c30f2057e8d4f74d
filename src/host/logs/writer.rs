//! The file that one stream of a service goes to. Nothing that goes wrong here reaches the service: it is counted, and
//! told by `status`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::format::LONGEST;
use super::handover::Place;
use super::house;
use super::read::newest;
use super::rotate::{Retention, generation, generations};
use crate::host::{sys, wall};
use crate::service::Logs;

/// How soon after a failure the file is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often the file is looked at, whether somebody moved or deleted it.
const LOOK: Duration = Duration::from_millis(500);

/// A log file with its rotation.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: Option<Open>,
    max_size: Option<u64>,
    max_age: Option<Duration>,
    retention: Retention,
    /// Whom a file that lies in a folder of theirs may belong to.
    owner: Option<u32>,
    /// Bytes that could not be written.
    pub dropped: u64,
    /// The last failure, until a write succeeds.
    pub trouble: Option<String>,
    retry_at: Option<Instant>,
    told_trouble: bool,
    told_dropped: u64,
    /// What was lost last ended in the middle of a line: the rest of that is no line either, if it ends within so many
    /// bytes.
    torn: usize,
    /// Something was lost since the last write: a half line at the file's end will never be whole.
    cut: bool,
    /// When the last generation was closed, by its name: the next has to come after it, whatever the clock says.
    rotated: Option<Timestamp>,
    told_rotated: Option<Timestamp>,
}

#[derive(Debug)]
struct Open {
    file: File,
    number: u64,
    size: u64,
    /// The file's age when it was opened; from then on no setting of the clock counts.
    age: Duration,
    opened: Instant,
    /// The last byte was a newline: a good place to rotate.
    at_line: bool,
    looked: Instant,
    /// Bytes written since it was looked at.
    unseen: u64,
    /// Somebody moved it away: the line that it ends with goes with it, and the next into a new one.
    moved: bool,
}

impl Writer {
    /// For a file; nothing is opened yet.
    #[must_use]
    pub fn new(path: PathBuf, logs: &Logs, owner: Option<u32>) -> Self {
        Self {
            path,
            file: None,
            max_size: logs.max_size.filter(|size| *size > 0),
            max_age: logs.max_age,
            retention: Retention::of(logs, owner),
            owner,
            dropped: 0,
            trouble: None,
            retry_at: None,
            told_trouble: false,
            told_dropped: 0,
            torn: 0,
            cut: false,
            rotated: None,
            told_rotated: None,
        }
    }

    /// Whether trouble began (and which) or ended (None) since the last call, or bytes were lost without one; outer
    /// None: neither.
    pub fn news(&mut self) -> Option<Option<String>> {
        let lost = self.trouble.is_none() && self.dropped != self.told_dropped;
        let changed = lost || self.trouble.is_some() != self.told_trouble;
        self.told_trouble = self.trouble.is_some();
        if changed {
            self.told_dropped = self.dropped;
        }
        changed.then(|| self.trouble.clone())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file that is there ends in the middle of a line.
    #[must_use]
    pub fn mid_line(&self) -> bool {
        std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.is_file() && found.len() > 0 && !self.ends_with_newline(found.len()))
    }

    /// What comes next is the beginning of a line, whatever the file ends with.
    pub const fn begin_line(&mut self) {
        self.cut = true;
    }

    /// How much was written of what was to go to a place.
    #[must_use]
    pub fn written(&self, place: Place) -> u64 {
        let old = generations(&self.path, self.retention.archive.as_deref());
        let mut files = old.iter().rev().chain([&self.path]).filter_map(|path| sys::read_log(path, self.owner).ok());
        let found =
            files.find(|file| place.file != 0 && sys::file_number(file).is_ok_and(|number| number == place.file));
        let found = found.and_then(|file| file.metadata().ok());
        place.done + found.map_or(0, |found| found.len().saturating_sub(place.size))
    }

    /// Has what an earlier supervisor left half done finished, off the loop.
    pub fn tidy(&mut self) {
        if retention_is_work(&self.retention) {
            let _ = house::keep(self.path.clone(), self.retention.clone());
        }
    }

    /// Appends; rotates where it is time. What can't be written is lost in whole lines.
    pub fn write(&mut self, bytes: &[u8]) {
        self.write_noting(bytes, 0, &|_| {});
    }

    /// The same for what comes behind `done` bytes of a whole; `note` is told each place just before it is written to.
    pub fn write_noting(&mut self, mut bytes: &[u8], done: u64, note: &dyn Fn(Place)) {
        let end = done + bytes.len() as u64;
        while !bytes.is_empty() {
            if self.retry_at.is_some_and(|at| Instant::now() < at) {
                return self.lose(bytes);
            }
            if self.torn > 0 {
                let near = bytes.get(..self.torn).unwrap_or(bytes);
                let (rest, later) = bytes.split_at(end_of_line(near));
                let left = self.torn.saturating_sub(rest.len());
                self.lose(rest);
                self.torn = self.torn.min(left);
                bytes = later;
                continue;
            }
            let before_rotation = self.room(bytes);
            let now = bytes.get(..before_rotation).unwrap_or(bytes);
            let (written, result) = self.append(now, end - bytes.len() as u64, note);
            bytes = bytes.get(written..).unwrap_or_default();
            if let Err(error) = result {
                self.file = None;
                self.retry_at = Instant::now().checked_add(RETRY);
                self.trouble = Some(format!("cannot write `{}`: {error}", self.path.display()));
                return self.lose(bytes);
            }
            if self.file.as_ref().is_some_and(|open| open.moved && open.at_line) {
                self.file = None;
            }
            if self.is_due() {
                self.rotate();
            }
        }
    }

    fn lose(&mut self, bytes: &[u8]) {
        self.dropped += bytes.len() as u64;
        self.cut = true;
        let whole = bytes.last().is_none_or(|last| *last == b'\n');
        self.torn = if whole { 0 } else { LONGEST };
    }

    /// How much goes into the present file: up to the last line that fits, and at least one line.
    fn room(&self, bytes: &[u8]) -> usize {
        if self.file.as_ref().is_some_and(|open| open.moved) {
            return end_of_line(bytes);
        }
        let (Some(most), size) = (self.max_size, self.file.as_ref().map_or(0, |open| open.size)) else {
            return bytes.len();
        };
        let room = usize::try_from(most.saturating_sub(size)).unwrap_or(usize::MAX);
        if bytes.len() <= room {
            return bytes.len();
        }
        let fits = bytes.get(..room).and_then(|part| memchr::memrchr(b'\n', part));
        let first = || memchr::memchr(b'\n', bytes);
        fits.or_else(first).map_or(bytes.len(), |end| end + 1)
    }

    fn is_due(&self) -> bool {
        let Some(open) = &self.file else { return false };
        let large = self.max_size.is_some_and(|most| open.size >= most);
        let old = self.max_age.is_some_and(|oldest| open.age + open.opened.elapsed() > oldest);
        (large || old) && open.at_line
    }

    /// How many of them were written, and what kept the rest from it.
    fn append(&mut self, bytes: &[u8], done: u64, note: &dyn Fn(Place)) -> (usize, io::Result<()>) {
        let open = match self.writable() {
            Ok(open) => open,
            Err(error) => return (0, Err(error)),
        };
        note(Place { done, file: open.number, size: open.size });
        let mut left = bytes;
        let result = loop {
            match open.file.write(left) {
                Ok(count) => {
                    let (done, rest) = left.split_at(count.min(left.len()));
                    open.size += done.len() as u64;
                    open.unseen += done.len() as u64;
                    open.at_line = done.last().map_or(open.at_line, |last| *last == b'\n');
                    left = rest;
                    if left.is_empty() {
                        break Ok(());
                    }
                    if count == 0 {
                        break Err(io::ErrorKind::WriteZero.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if result.is_ok() {
            self.trouble = None;
            self.retry_at = None;
        }
        (bytes.len() - left.len(), result)
    }

    /// The file, ready for the next line.
    fn writable(&mut self) -> io::Result<&mut Open> {
        if self.file.as_ref().is_some_and(|open| open.looked.elapsed() > LOOK) {
            self.look();
        }
        if self.file.is_none() {
            self.file = Some(self.open()?);
            if self.is_due() {
                self.rotate();
            }
        }
        let open = match &mut self.file {
            Some(open) => open,
            empty => empty.insert(open(&self.path, self.owner)?),
        };
        if self.cut && !open.at_line {
            open.file.write_all(b"\n")?;
            open.size += 1;
            open.at_line = true;
        }
        self.cut = false;
        Ok(open)
    }

    fn open(&self) -> io::Result<Open> {
        open(&self.path, self.owner)
    }

    fn ends_with_newline(&self, size: u64) -> bool {
        ends_with_newline(&self.path, self.owner, size)
    }

    /// Lets go of a file that somebody moved away or deleted.
    fn look(&mut self) {
        let Some(open) = &mut self.file else { return };
        open.looked = Instant::now();
        if !sys::is_at(&open.file, &self.path) {
            let deleted = sys::is_deleted(&open.file);
            if !deleted && !open.at_line {
                open.moved = true;
                open.unseen = 0;
                return;
            }
            if deleted {
                // What went into it since it was deleted is gone with it; when that was, nobody knows.
                self.dropped += open.unseen;
                self.torn = if open.at_line { 0 } else { LONGEST };
            }
            self.file = None;
        } else if let Ok(metadata) = open.file.metadata()
            && metadata.len() < open.size
        {
            // Somebody emptied it: we append, so only our count is wrong.
            open.size = metadata.len();
        }
        if let Some(open) = &mut self.file {
            open.unseen = 0;
        }
    }

    fn rotate(&mut self) {
        let archive = self.retention.archive.as_deref();
        let last = self.rotated.or_else(|| newest(&self.path, archive));
        let at = later(wall::now(), last);
        let rotated = generation(&self.path, archive, at);
        let moved = match &self.retention.archive {
            None => sys::move_log(&self.path, &rotated),
            Some(folder) => sys::make_log_folder(folder).and_then(|()| sys::move_log(&self.path, &rotated)),
        };
        if let Err(error) = moved {
            // Growing is better than losing: it stays, and the next write tries again.
            self.trouble = Some(format!("cannot rotate `{}`: {error}", self.path.display()));
            return;
        }
        self.file = None;
        self.rotated = Some(at);
        if retention_is_work(&self.retention) && house::keep(self.path.clone(), self.retention.clone()).is_err() {
            self.trouble = Some(format!("cannot tidy up after `{}`: no thread to be had", self.path.display()));
        }
    }
}

impl Writer {
    /// Whether there is a rotated file more than when this was asked last.
    pub fn has_rotated(&mut self) -> bool {
        std::mem::replace(&mut self.told_rotated, self.rotated) != self.rotated
    }
}

/// Now, or just after the last one: names of generations are their order, though the clock be set back.
fn later(now: Timestamp, last: Option<Timestamp>) -> Timestamp {
    let after = last.and_then(|last| Timestamp::from_microsecond(last.as_microsecond() + 1).ok());
    after.map_or(now, |after| now.max(after))
}

/// Behind the first newline, or all.
fn end_of_line(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}

const fn retention_is_work(retention: &Retention) -> bool {
    !matches!(
        retention,
        Retention { keep: None, max_age: None, total: None, compress: crate::service::Compress::None, .. }
    )
}

/// Opens for appending, never through a symbolic link, and only a file that is nobody else's.
fn open(path: &Path, owner: Option<u32>) -> io::Result<Open> {
    if let Some(folder) = path.parent() {
        sys::make_log_folder(folder)?;
    }
    let file = sys::open_log(path, owner)?;
    let number = sys::file_number(&file)?;
    let metadata = file.metadata()?;
    let opened = metadata.created().or_else(|_| metadata.modified()).unwrap_or_else(|_| wall::system_now());
    let at_line = metadata.len() == 0 || ends_with_newline(path, owner, metadata.len());
    let age = wall::system_now().duration_since(opened).unwrap_or_default();
    let now = Instant::now();
    Ok(Open { file, number, size: metadata.len(), age, opened: now, at_line, looked: now, unseen: 0, moved: false })
}

fn ends_with_newline(path: &Path, owner: Option<u32>, size: u64) -> bool {
    let mut last = [0];
    let mut read = || {
        let mut file = sys::read_log(path, owner)?;
        file.seek(SeekFrom::Start(size - 1))?;
        file.read_exact(&mut last)
    };
    read().is_ok() && last == *b"\n"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::service::{Compress, LogFormat};

    fn logs(max_size: u64) -> Logs {
        Logs {
            native: false,
            file: None,
            format: LogFormat::Raw,
            max_size: Some(max_size),
            max_age: None,
            keep: None,
            total: None,
            compress: Compress::None,
            archive: None,
        }
    }

    fn everything(path: &Path) -> Vec<u8> {
        let mut all: Vec<u8> = generations(path, None).iter().flat_map(|path| fs::read(path).expect("read")).collect();
        all.extend(fs::read(path).unwrap_or_default());
        all
    }

    #[test]
    fn rotation_never_cuts_a_line_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/current.log");
        let mut writer = Writer::new(path.clone(), &logs(100), None);
        let mut wanted = Vec::new();
        for number in 0..200 {
            let line = format!("line {number} {}\n", "x".repeat(number % 37));
            let (one, two) = line.split_at(line.len() / 2);
            writer.write(one.as_bytes());
            writer.write(two.as_bytes());
            wanted.extend_from_slice(line.as_bytes());
        }
        assert_eq!(everything(&path), wanted);
        let old = generations(&path, None);
        assert!(old.len() > 30, "{}", old.len());
        for path in old {
            let text = fs::read(&path).expect("read");
            assert_eq!(text.last(), Some(&b'\n'));
            assert!(text.len() <= 100 + 48, "{}", text.len());
        }
        assert_eq!((writer.dropped, writer.trouble), (0, None));
    }

    #[test]
    fn one_large_piece_is_cut_between_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("current.log");
        let mut writer = Writer::new(path.clone(), &logs(64), None);
        let text = "a line\n".repeat(100);
        writer.write(text.as_bytes());
        assert_eq!(everything(&path), text.as_bytes());
        assert_eq!(generations(&path, None).len(), 10);
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("current.log");
        let mut writer = Writer::new(path.clone(), &logs(1000), None);
        writer.write(b"one\n");
        fs::rename(&path, folder.path().join("taken")).expect("rename");
        if let Some(open) = &mut writer.file {
            open.looked = Instant::now().checked_sub(LOOK * 2).expect("a while ago");
        }
        writer.write(b"two\n");
        assert_eq!(fs::read(&path).expect("read"), b"two\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_moved_away_takes_its_last_line_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, taken) = (folder.path().join("current.log"), folder.path().join("taken"));
        let mut writer = Writer::new(path.clone(), &logs(1000), None);
        writer.write(b"one\ntw");
        fs::rename(&path, &taken).expect("rename");
        if let Some(open) = &mut writer.file {
            open.looked = Instant::now().checked_sub(LOOK * 2).expect("a while ago");
        }
        writer.write(b"");
        writer.writable().expect("writable");
        writer.write(b"o");
        writer.write(b"\nthree\nfo");
        assert_eq!(fs::read(&taken).expect("read"), b"one\ntwo\n");
        assert_eq!(fs::read(&path).expect("read"), b"three\nfo");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_not_followed_and_what_is_lost_is_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("target");
        let path = folder.path().join("current.log");
        std::os::unix::fs::symlink(&target, &path).expect("a link");
        let mut writer = Writer::new(path, &logs(1000), None);
        writer.write(b"four");
        assert!(!target.exists());
        writer.write(b"five!");
        assert_eq!(writer.dropped, 9);
        let trouble = writer.trouble.clone().expect("trouble");
        assert_eq!(trouble.matches("cannot write").count(), 1, "{trouble}");
        assert_eq!((writer.news(), writer.news()), (Some(Some(trouble)), None));

        // A service that writes all the time must not put off the next try for ever.
        fs::remove_file(&writer.path).expect("remove");
        writer.retry_at = writer.retry_at.and_then(|at| at.checked_sub(RETRY / 2));
        let due = writer.retry_at;
        writer.write(b"six\n");
        assert_eq!(writer.retry_at, due);
        writer.retry_at = Some(Instant::now());
        writer.write(b"seven");
        assert_eq!((writer.dropped, writer.news()), (13, Some(None)));
    }

    #[test]
    fn after_a_loss_the_file_goes_on_with_a_whole_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("current.log");
        let mut writer = Writer::new(path.clone(), &logs(1000), None);
        writer.write(b"one\ntw");
        writer.retry_at = Instant::now().checked_add(RETRY);
        writer.write(b"o\nthr");
        writer.retry_at = None;
        writer.write(b"ee\nfour\n");
        assert_eq!(fs::read(&path).expect("read"), b"one\ntw\nfour\n");
        assert_eq!(writer.dropped, 8);

        // One that writes no lines at all is not lost for ever.
        writer.retry_at = Instant::now().checked_add(RETRY);
        writer.write(b"x");
        writer.retry_at = None;
        writer.write(&vec![b'x'; LONGEST + 3]);
        assert!(fs::read(&path).expect("read").ends_with(b"four\nxxx"));
    }

    // Elsewhere a file that is open keeps its name for as long.
    #[cfg(unix)]
    #[test]
    fn what_went_into_a_deleted_file_is_counted_as_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("current.log");
        let mut writer = Writer::new(path.clone(), &logs(1000), None);
        writer.write(b"one\n");
        fs::remove_file(&path).expect("remove");
        writer.write(b"two\n");
        writer.file.as_mut().expect("open").looked = Instant::now().checked_sub(LOOK * 2).expect("a while ago");
        writer.write(b"three\n");
        assert_eq!(fs::read(&path).expect("read"), b"three\n");
        assert_eq!((writer.dropped, writer.news(), writer.news()), (8, Some(None), None));
    }

    #[test]
    fn generations_keep_their_order_though_the_clock_is_set_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("current.log");
        let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
        fs::write(generation(&path, None, ahead), "line 0\n").expect("write");
        let mut writer = Writer::new(path.clone(), &logs(4), None);
        let mut wanted = b"line 0\n".to_vec();
        for number in 1..=5 {
            let line = format!("line {number}\n");
            writer.write(line.as_bytes());
            wanted.extend_from_slice(line.as_bytes());
        }
        assert_eq!(everything(&path), wanted);
        assert_eq!(generations(&path, None).len(), 6);
        let now = Timestamp::from_microsecond(5).expect("a time");
        assert_eq!(later(now, Some(now)).as_microsecond(), 6);
        assert_eq!(later(now, None), now);
    }
}
