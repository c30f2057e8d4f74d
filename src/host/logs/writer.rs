//! The file that one stream of a service goes to. Nothing that goes wrong here reaches the service: it is counted, and
//! told by `status`.

mod open;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use self::open::Open;
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
        std::fs::symlink_metadata(&self.path).is_ok_and(|found| {
            found.is_file() && found.len() > 0 && !open::ends_with_newline(&self.path, self.owner, found.len())
        })
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
        let old = self.max_age.is_some_and(|oldest| open.age() > oldest);
        (large || old) && open.at_line
    }

    /// How many of them were written, and what kept the rest from it.
    fn append(&mut self, bytes: &[u8], done: u64, note: &dyn Fn(Place)) -> (usize, io::Result<()>) {
        let open = match self.writable() {
            Ok(open) => open,
            Err(error) => return (0, Err(error)),
        };
        note(Place { done, file: open.number, size: open.size });
        let (written, result) = open.append(bytes);
        if result.is_ok() {
            self.trouble = None;
            self.retry_at = None;
        }
        (written, result)
    }

    /// The file, ready for the next line.
    fn writable(&mut self) -> io::Result<&mut Open> {
        if self.file.as_ref().is_some_and(|open| open.looked.elapsed() > LOOK) {
            self.look();
        }
        if self.file.is_none() {
            self.file = Some(Open::at(&self.path, self.owner)?);
            if self.is_due() {
                self.rotate();
            }
        }
        let open = match &mut self.file {
            Some(open) => open,
            empty => empty.insert(Open::at(&self.path, self.owner)?),
        };
        if self.cut {
            open.end_line()?;
        }
        self.cut = false;
        Ok(open)
    }

    /// Lets go of a file that somebody moved away or deleted.
    fn look(&mut self) {
        let Some(open) = &mut self.file else { return };
        open.looked = Instant::now();
        if open.is_at(&self.path) {
            open.count_again();
        } else {
            let deleted = open.is_deleted();
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
