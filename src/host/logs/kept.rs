//! The beginning of a line whose end has not come, kept where it outlives the supervisor: a JSON line can only be written
//! as a whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::host::sys;

/// A file with the beginning of a line, made when the first is to be kept.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    file: Option<File>,
    length: u64,
}

impl Kept {
    /// In that file.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, file: None, length: 0 }
    }

    /// Its length.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// What an earlier supervisor kept.
    pub fn load(&mut self) -> Vec<u8> {
        let bytes = std::fs::read(&self.path).unwrap_or_default();
        self.length = bytes.len() as u64;
        bytes
    }

    /// Forgets what is there.
    pub fn forget(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        (self.file, self.length) = (None, 0);
    }

    /// Keeps `partial`, after `came` came. `before` is called ahead of the first change, unless there is none.
    ///
    /// A line that only grew is appended to; any other is the end of what came. So whoever has what came can do it again,
    /// wherever it was broken off.
    pub fn keep(&mut self, partial: &[u8], came: &[u8], before: impl FnOnce(u64)) -> io::Result<()> {
        let length = partial.len() as u64;
        if length == 0 && self.length == 0 {
            return Ok(());
        }
        before(length);
        if length == self.length + came.len() as u64 {
            self.file()?.write_all(came)?;
        } else {
            self.file()?.set_len(0)?;
            self.file()?.write_all(partial)?;
        }
        self.length = length;
        Ok(())
    }

    /// Does a `keep` again: what was kept had `before` bytes, and gets `length` when `came` came. What is kept then.
    pub fn keep_again(&mut self, before: u64, length: u64, came: &[u8]) -> io::Result<Vec<u8>> {
        if length == before + came.len() as u64 {
            self.file()?.set_len(before)?;
            self.file()?.write_all(came)?;
        } else {
            let tail = usize::try_from(length).unwrap_or(usize::MAX).min(came.len());
            self.file()?.set_len(0)?;
            self.file()?.write_all(came.get(came.len() - tail..).unwrap_or_default())?;
        }
        Ok(self.load())
    }

    /// Opened for appending.
    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => sys::open_journal(&self.path, 0o600)?,
        };
        Ok(self.file.insert(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_grows_and_one_that_is_new_are_kept_and_may_be_kept_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kept");
        let mut kept = Kept::new(path.clone());
        kept.keep(b"", b"a line\n", |_| panic!("nothing to be changed")).expect("kept");
        assert!(!path.exists());
        kept.keep(b"be", b"line\nbe", |_| {}).expect("kept");
        kept.keep(b"begin", b"gin", |length| assert_eq!(length, 5)).expect("kept");
        assert_eq!(Kept::new(path.clone()).load(), b"begin");
        // Broken off at any place: it was not begun, half done, or done.
        for half in ["be", "begi", "begin"] {
            std::fs::write(&path, half).expect("write");
            assert_eq!(Kept::new(path.clone()).keep_again(2, 5, b"gin").expect("kept"), b"begin");
        }
        for half in ["begin", "", "ne"] {
            std::fs::write(&path, half).expect("write");
            assert_eq!(Kept::new(path.clone()).keep_again(5, 3, b"ning\nnew").expect("kept"), b"new");
        }
        kept.load();
        kept.keep(b"", b"!\n", |_| {}).expect("kept");
        assert_eq!(kept.load(), b"");
    }
}
