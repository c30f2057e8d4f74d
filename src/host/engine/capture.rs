//! What is done with what a pipe brings: looked through, shown, dressed, written.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{Echo, Id, Input};
use crate::host::logs::format::Dresser;
use crate::host::logs::handover::{Buffer, Dress, Left};
use crate::host::logs::kept::Kept;
use crate::host::logs::writer::Writer;
use crate::host::state::LogRecord;
use crate::host::wall;
use crate::service::LogFormat;

/// Dressed at once: a line of nothing becomes much longer than it was.
const PIECE: usize = 32 * 1024;

/// What dressed lines may take of memory while there are none.
const SPARE: usize = 128 * 1024;

/// A file that both streams of a unit may go to.
pub(super) type SharedWriter = Rc<RefCell<Writer>>;

/// Where everything that is read passes through, one read at a time.
pub(super) struct Hands {
    pub(super) buffer: Buffer,
    dressed: Vec<u8>,
}

impl Hands {
    pub(super) const fn new(buffer: Buffer) -> Self {
        Self { buffer, dressed: Vec::new() }
    }
}

/// Where a pipe's bytes go.
pub(super) struct Capture {
    pub(super) dresser: Dresser,
    pub(super) kept: Kept,
    pub(super) writer: Option<SharedWriter>,
    pub(super) echo: Echo,
    pub(super) name: Id,
    pub(super) tx: mpsc::UnboundedSender<Input>,
    /// A text that means readiness, whom to tell, and the last of what was searched.
    pub(super) look_for: Option<(Vec<u8>, Id, mpsc::UnboundedSender<Input>)>,
    pub(super) tail: Vec<u8>,
    pub(super) echo_at_line: bool,
}

impl Capture {
    /// Goes on where an earlier supervisor was, or begins.
    pub(super) fn begin(&mut self, goes_on: bool) {
        let Some(writer) = &self.writer else { return };
        let mut writer = writer.borrow_mut();
        let format = self.dresser.format();
        if goes_on {
            self.dresser.set_mid_line(format == LogFormat::Timestamped && writer.mid_line());
            if format == LogFormat::Json {
                self.dresser.set_partial(self.kept.load());
            }
            writer.tidy();
            return;
        }
        self.kept.forget();
        if format != LogFormat::Raw {
            writer.begin_line();
        }
    }

    /// Takes what was just read.
    pub(super) fn take(&mut self, hands: &mut Hands, count: usize) {
        let bytes = hands.buffer.bytes(count);
        self.search(bytes);
        self.echo(bytes);
        self.write(&hands.buffer, &mut hands.dressed, bytes, wall::now(), 0);
        hands.buffer.done();
        if hands.dressed.capacity() > SPARE {
            hands.dressed = Vec::new();
        }
    }

    /// Brings to its end what an earlier supervisor had in hand.
    pub(super) fn finish(&mut self, hands: &mut Hands, left: &Left) {
        let format = self.dresser.format();
        if let Some((before, length)) = left.keeping {
            // It counts where it is kept; a pipe that got another format meanwhile has no more use for it.
            if let Ok(partial) = self.kept.keep_again(before, length, &left.bytes)
                && format == LogFormat::Json
            {
                self.dresser.set_partial(partial);
            }
        } else if let Some(writer) = self.writer.clone() {
            let mut skip = 0;
            if let Some(dress) = left.dress {
                self.dresser.set_format(dress.format);
                self.dresser.set_mid_line(dress.mid_line);
                skip = writer.borrow().written(left.place);
            }
            self.write(&hands.buffer, &mut hands.dressed, &left.bytes, left.at, skip);
            if self.dresser.format() != format {
                self.flush(&mut hands.dressed);
                self.dresser.set_format(format);
            }
        }
        hands.buffer.done();
    }

    /// Writes it, but for so much of the output that is already there.
    fn write(&mut self, buffer: &Buffer, dressed: &mut Vec<u8>, bytes: &[u8], at: Timestamp, skip: u64) {
        let Some(writer) = self.writer.clone() else { return };
        let mut writer = writer.borrow_mut();
        let note = |place| buffer.place(place);
        let dress = Dress { format: self.dresser.format(), mid_line: self.dresser.mid_line() };
        buffer.writing(at, dress, self.kept.length());
        let skip_of =
            |length: usize, done: u64| usize::try_from(skip.saturating_sub(done)).unwrap_or(length).min(length);
        if dress.format == LogFormat::Raw {
            let skip = skip_of(bytes.len(), 0);
            writer.write_noting(bytes.get(skip..).unwrap_or_default(), skip as u64, &note);
        } else {
            let mut done = 0;
            for piece in bytes.chunks(PIECE) {
                dressed.clear();
                self.dresser.take(piece, at, dressed);
                let skip = skip_of(dressed.len(), done);
                writer.write_noting(dressed.get(skip..).unwrap_or_default(), done + skip as u64, &note);
                done += dressed.len() as u64;
            }
            // A runtime folder that is full costs half a line when we are killed, and nothing now.
            let _ = self.kept.keep(self.dresser.partial(), bytes, |length| buffer.keeping(length));
        }
        if writer.has_rotated() {
            let _ = self.tx.send(Input::Rotated(Rc::clone(&self.name)));
        }
        if let Some(trouble) = writer.news() {
            let _ = self.tx.send(Input::LogTrouble(Rc::clone(&self.name), trouble));
        }
    }

    /// Writes the half line that nobody will end.
    pub(super) fn flush(&mut self, dressed: &mut Vec<u8>) {
        if let Some(writer) = &self.writer {
            dressed.clear();
            self.dresser.flush(wall::now(), dressed);
            writer.borrow_mut().write(dressed);
            let _ = self.kept.keep(&[], &[], |_| {});
        }
    }

    /// The same, with what `Hands` have for it.
    pub(super) fn flush_by(&mut self, hands: &mut Hands) {
        self.flush(&mut hands.dressed);
    }

    fn search(&mut self, bytes: &[u8]) {
        let Some((text, id, tx)) = &self.look_for else { return };
        self.tail.extend_from_slice(bytes);
        let found = self.tail.split(|byte| *byte == b'\n').any(|line| contains(line, text));
        if found {
            let _ = tx.send(Input::Event(Rc::clone(id), crate::host::machine::Event::Ready));
            self.look_for = None;
            self.tail = Vec::new();
            return;
        }
        // Only an unfinished line can still become one that has it.
        let keep = memchr::memrchr(b'\n', &self.tail).map_or(0, |end| end + 1);
        self.tail.drain(..keep);
        let longest = crate::host::logs::format::LONGEST;
        if self.tail.len() > longest {
            self.tail.drain(..self.tail.len() - longest);
        }
    }

    /// To our own output. Whoever reads that may be gone; that is not the service's business.
    fn echo(&mut self, bytes: &[u8]) {
        match self.echo {
            Echo::None => {}
            Echo::Plain => {
                let _ = std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush());
            }
            Echo::Named | Echo::Aside => {
                let mut out = Vec::with_capacity(bytes.len() + 64);
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    if self.echo_at_line {
                        out.extend_from_slice(format!("{} | ", self.name).as_bytes());
                    }
                    out.extend_from_slice(line);
                    self.echo_at_line = line.last() == Some(&b'\n');
                }
                let _ = match self.echo {
                    Echo::Aside => std::io::stderr().write_all(&out),
                    _ => std::io::stdout().write_all(&out).and_then(|()| std::io::stdout().flush()),
                };
            }
        }
    }

    pub(super) fn record(&self) -> Option<LogRecord> {
        let writer = self.writer.as_ref()?.borrow();
        Some(LogRecord { path: writer.path().to_owned(), dropped: writer.dropped, trouble: writer.trouble.clone() })
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(line, text).is_some()
}
