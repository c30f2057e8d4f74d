//! The file that is written to just now.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::host::{sys, wall};

/// It, and what is known of it without looking.
#[derive(Debug)]
pub(super) struct Open {
    file: File,
    pub(super) number: u64,
    pub(super) size: u64,
    /// The file's age when it was opened; from then on no setting of the clock counts.
    age: Duration,
    opened: Instant,
    /// The last byte was a newline: a good place to rotate.
    pub(super) at_line: bool,
    pub(super) looked: Instant,
    /// Bytes written since it was looked at.
    pub(super) unseen: u64,
    /// Somebody moved it away: the line that it ends with goes with it, and the next into a new one.
    pub(super) moved: bool,
}

impl Open {
    /// Opens for appending, never through a symbolic link, and only a file that is nobody else's.
    pub(super) fn at(path: &Path, owner: Option<u32>) -> io::Result<Self> {
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
        Ok(Self { file, number, size: metadata.len(), age, opened: now, at_line, looked: now, unseen: 0, moved: false })
    }

    /// How old it is.
    pub(super) fn age(&self) -> Duration {
        self.age + self.opened.elapsed()
    }

    /// How many of them were written, and what kept the rest from it.
    pub(super) fn append(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut left = bytes;
        let result = loop {
            match self.file.write(left) {
                Ok(count) => {
                    let (done, rest) = left.split_at(count.min(left.len()));
                    self.size += done.len() as u64;
                    self.unseen += done.len() as u64;
                    self.at_line = done.last().map_or(self.at_line, |last| *last == b'\n');
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
        (bytes.len() - left.len(), result)
    }

    /// Ends the line that will never be whole.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        if !self.at_line {
            self.file.write_all(b"\n")?;
            self.size += 1;
            self.at_line = true;
        }
        Ok(())
    }

    /// Whether it is still there by its name.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        sys::is_at(&self.file, path)
    }

    /// Whether it has no name any more.
    pub(super) fn is_deleted(&self) -> bool {
        sys::is_deleted(&self.file)
    }

    /// Somebody emptied it: we append, so only our count is wrong.
    pub(super) fn count_again(&mut self) {
        if let Ok(metadata) = self.file.metadata()
            && metadata.len() < self.size
        {
            self.size = metadata.len();
        }
    }
}

/// Whether the file there, of that size, ends with a whole line.
pub(super) fn ends_with_newline(path: &Path, owner: Option<u32>, size: u64) -> bool {
    let mut last = [0];
    let mut read = || {
        let mut file = sys::read_log(path, owner)?;
        file.seek(SeekFrom::Start(size - 1))?;
        file.read_exact(&mut last)
    };
    read().is_ok() && last == *b"\n"
}
