//! The buffer that every pipe is read into, and what is done with what is in it, kept where it outlives the supervisor.
//!
//! Between reading from a pipe and writing to a file, bytes are nowhere but in here. So the buffer is a file in the
//! runtime folder, mapped; in front of the bytes stands what was read from where and how much of it is in which file. A
//! supervisor that is killed leaves that to the next one ([`Buffer::left`]), which writes what is missing, once.
//!
//! A process that is killed stops between two instructions or behind a system call, so each store counts and none is
//! late. What a killed `read` did is told by the bytes themselves: it asks for what is in the pipe and gets all of that
//! or nothing, and a mark, of bytes that are in no text, stands where the last of them would be.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::host::sys::{PipeEnd, Shared};
use crate::service::LogFormat;

/// Bytes read at once at most.
pub const SIZE: usize = 128 * 1024;

const WORDS: usize = 24;
/// Of what is written here.
const VERSION: u64 = 1;

// The words.
const FORMAT: usize = 0;
const BOOT: usize = 1;
const PHASE: usize = 2;
const PIPE: usize = 3;
const LENGTH: usize = 4;
const MARK: usize = 5;
const AT: usize = 6;
const DRESS: usize = 7;
const KEPT_BEFORE: usize = 8;
const KEPT: usize = 9;
/// Which of two places counts: one is written while the other does.
const WHICH: usize = 10;
const PLACES: [usize; 2] = [12, 16];

/// Where it is.
#[derive(Debug)]
enum Memory {
    Shared(Shared),
    /// As large as the largest read so far.
    Own {
        words: Box<[AtomicU64]>,
        bytes: Vec<u8>,
    },
}

impl Memory {
    fn words(&self) -> &[AtomicU64] {
        match self {
            Self::Shared(shared) => shared.words(),
            Self::Own { words, .. } => words,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(shared) => shared.bytes(),
            Self::Own { bytes, .. } => bytes,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Shared(shared) => shared.bytes_mut(),
            Self::Own { bytes, .. } => bytes,
        }
    }

    /// Makes room for a read of so much.
    fn make_room(&mut self, length: usize) {
        match self {
            Self::Own { bytes, .. } if bytes.len() < length => bytes.resize(length, 0),
            Self::Own { .. } | Self::Shared(_) => {}
        }
    }
}

/// The buffer.
#[derive(Debug)]
pub struct Buffer {
    memory: Memory,
    boot: u64,
    random: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is nothing in it.
    Idle,
    /// A read has been asked for.
    Reading,
    /// It is on its way to the files.
    Writing,
    /// It is in the files, but for the line whose end has not come.
    Keeping,
}

/// How far the output of what was read has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Bytes of it that are done with.
    pub done: u64,
    /// The file, by its number, to which the next go.
    pub file: u64,
    /// The size of that before.
    pub size: u64,
}

/// What a killed supervisor had in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The pipe, by its number.
    pub pipe: u64,
    /// What was read from it.
    pub bytes: Vec<u8>,
    /// When.
    pub at: Timestamp,
    /// How it is dressed; None: that was not begun.
    pub dress: Option<Dress>,
    /// How far that has come.
    pub place: Place,
    /// All is in the files: the kept beginning of a line had so many bytes and gets so many.
    pub keeping: Option<(u64, u64)>,
}

/// What the dressing of a piece depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dress {
    /// The format.
    pub format: LogFormat,
    /// It goes on with a line.
    pub mid_line: bool,
}

impl Buffer {
    /// The one of a runtime folder, which outlives us.
    pub fn in_folder(folder: &Path, boot: &str) -> io::Result<Self> {
        Ok(Self::of(Memory::Shared(Shared::in_file(&in_folder(folder), WORDS, SIZE)?), boot))
    }

    /// One that goes with us.
    #[must_use]
    pub fn private() -> Self {
        let words = std::iter::repeat_with(AtomicU64::default).take(WORDS).collect();
        Self::of(Memory::Own { words, bytes: Vec::new() }, "")
    }

    fn of(memory: Memory, boot: &str) -> Self {
        // FNV-1a: it only has to differ between boots.
        let boot = boot
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { memory, boot, random: boot | 1 }
    }

    fn word(&self, index: usize) -> u64 {
        self.memory.words().get(index).map_or(0, |word| word.load(Ordering::SeqCst))
    }

    fn set(&self, index: usize, value: u64) {
        if let Some(word) = self.memory.words().get(index) {
            AtomicU64::store(word, value, Ordering::SeqCst);
        }
    }

    fn set_phase(&self, phase: Phase) {
        self.set(PHASE, phase as u64);
    }

    /// Reads what is in a pipe: how much that was, 0 when it is empty.
    pub fn read(&mut self, pipe: &PipeEnd, number: u64) -> io::Result<usize> {
        let length = pipe.waiting()?.min(SIZE);
        if length == 0 {
            return Ok(0);
        }
        self.memory.make_room(length);
        // By xorshift; 0xF8 to 0xFF are in no UTF-8.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let mark = self.random | 0xf8f8_f8f8_f8f8_f8f8;
        let range = mark_at(length);
        if let Some(place) = self.memory.bytes_mut().get_mut(range.clone()) {
            place.copy_from_slice(mark.to_ne_bytes().get(..range.len()).unwrap_or_default());
        }
        self.set(FORMAT, VERSION);
        self.set(BOOT, self.boot);
        self.set(PIPE, number);
        self.set(LENGTH, length as u64);
        self.set(MARK, mark);
        self.set(DRESS, 0);
        self.place(Place::default());
        self.set_phase(Phase::Reading);
        let count = match self.memory.bytes_mut().get_mut(..length) {
            Some(bytes) => pipe.read(bytes),
            None => Ok(0),
        };
        match count {
            Ok(count @ 1..) => self.set(LENGTH, count as u64),
            _ => self.set_phase(Phase::Idle),
        }
        count
    }

    /// What was read last.
    #[must_use]
    pub fn bytes(&self, count: usize) -> &[u8] {
        self.memory.bytes().get(..count).unwrap_or_default()
    }

    /// Before the first of it is written: how it is dressed, and how long the kept beginning of a line is.
    pub fn writing(&self, at: Timestamp, dress: Dress, kept: u64) {
        self.set(AT, at.as_microsecond().cast_unsigned());
        self.set(KEPT_BEFORE, kept);
        let format = match dress.format {
            LogFormat::Raw => 1,
            LogFormat::Timestamped => 2,
            LogFormat::Json => 3,
        };
        self.set(DRESS, format << 1 | u64::from(dress.mid_line));
        self.set_phase(Phase::Writing);
    }

    /// Before each write to a file.
    pub fn place(&self, place: Place) {
        let next = 1 - self.word(WHICH).min(1);
        if let Some(base) = usize::try_from(next).ok().and_then(|next| PLACES.get(next)) {
            self.set(*base, place.done);
            self.set(base + 1, place.file);
            self.set(base + 2, place.size);
            self.set(WHICH, next);
        }
    }

    /// Everything is in the files; before the beginning of a line, now so long, is kept.
    pub fn keeping(&self, length: u64) {
        self.set(KEPT, length);
        self.set_phase(Phase::Keeping);
    }

    /// Nothing of it is needed any more.
    pub fn done(&self) {
        self.set_phase(Phase::Idle);
    }

    /// What a killed supervisor had in hand. It stays here too, until the next read.
    #[must_use]
    pub fn left(&self) -> Option<Left> {
        let phase = self.word(PHASE);
        if self.word(FORMAT) != VERSION || self.word(BOOT) != self.boot || phase == Phase::Idle as u64 {
            return None;
        }
        let length = usize::try_from(self.word(LENGTH)).ok().filter(|length| (1..=SIZE).contains(length))?;
        let bytes = self.bytes(length);
        let range = mark_at(length);
        let mark = self.word(MARK).to_ne_bytes();
        if phase == Phase::Reading as u64 && bytes.get(range.clone()) == mark.get(..range.len()) {
            return None;
        }
        let dress = self.word(DRESS);
        let format = match dress >> 1 {
            1 => Some(LogFormat::Raw),
            2 => Some(LogFormat::Timestamped),
            3 => Some(LogFormat::Json),
            _ => None,
        };
        let base = PLACES.get(usize::from(self.word(WHICH) == 1))?;
        Some(Left {
            pipe: self.word(PIPE),
            bytes: bytes.to_vec(),
            at: Timestamp::from_microsecond(self.word(AT).cast_signed()).unwrap_or_else(|_| Timestamp::now()),
            dress: format.map(|format| Dress { format, mid_line: dress & 1 == 1 }),
            place: Place { done: self.word(*base), file: self.word(base + 1), size: self.word(base + 2) },
            keeping: (phase == Phase::Keeping as u64).then(|| (self.word(KEPT_BEFORE), self.word(KEPT))),
        })
    }
}

/// Where it lies in a runtime folder.
#[must_use]
pub fn in_folder(runtime: &Path) -> PathBuf {
    runtime.join("handover")
}

/// The last eight bytes, or fewer.
fn mark_at(length: usize) -> std::ops::Range<usize> {
    length.saturating_sub(8)..length
}

// Nothing is handed over where services end with their host.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn pipe(folder: &Path) -> (PipeEnd, File) {
        let (end, child_end) = crate::host::sys::log_pipe(&folder.join("pipe"), None).expect("a pipe");
        (end, child_end.open().expect("the other end"))
    }

    #[test]
    fn what_was_read_is_left_until_it_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let (reader, mut writer) = pipe(folder.path());
        let mut buffer = Buffer::in_folder(folder.path(), "boot").expect("a buffer");
        assert_eq!(buffer.left(), None);
        assert_eq!(buffer.read(&reader, 7).expect("read"), 0, "an empty pipe is not waited for");
        for text in ["a", "two\n", "a line that is longer than the mark\n"] {
            writer.write_all(text.as_bytes()).expect("write");
            let count = buffer.read(&reader, 7).expect("read");
            assert_eq!(buffer.bytes(count), text.as_bytes());
            let next = Buffer::in_folder(folder.path(), "boot").expect("a buffer");
            let left = next.left().expect("something");
            assert_eq!((left.pipe, left.bytes.as_slice(), left.dress), (7, text.as_bytes(), None));
            assert_eq!(Buffer::in_folder(folder.path(), "another boot").expect("a buffer").left(), None);
            buffer.done();
            assert_eq!(next.left(), None);
        }
    }

    #[test]
    fn a_read_that_did_not_happen_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (reader, mut writer) = pipe(folder.path());
        let mut buffer = Buffer::in_folder(folder.path(), "boot").expect("a buffer");
        for text in ["x", "a line\n"] {
            writer.write_all(text.as_bytes()).expect("write");
            let count = buffer.read(&reader, 7).expect("read");
            // As if it was killed before the system call.
            let mark = buffer.word(MARK).to_ne_bytes();
            let range = mark_at(count);
            buffer.memory.bytes_mut()[range.clone()].copy_from_slice(&mark[..range.len()]);
            assert_eq!(buffer.left(), None);
        }
    }

    #[test]
    fn the_last_place_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let (reader, mut writer) = pipe(folder.path());
        let mut buffer = Buffer::in_folder(folder.path(), "boot").expect("a buffer");
        writer.write_all(b"some text\n").expect("write");
        buffer.read(&reader, 7).expect("read");
        let (at, dress) = (Timestamp::UNIX_EPOCH, Dress { format: LogFormat::Json, mid_line: true });
        buffer.writing(at, dress, 11);
        for done in 0..3 {
            let place = Place { done, file: 5, size: 100 + done };
            buffer.place(place);
            let left = buffer.left().expect("something");
            assert_eq!((left.place, left.at, left.dress, left.keeping), (place, at, Some(dress), None));
        }
        buffer.keeping(3);
        assert_eq!(buffer.left().expect("something").keeping, Some((11, 3)));
    }
}
