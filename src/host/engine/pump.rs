//! From a service's pipe to its files.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::{Echo, Id, Input, Seen};
use crate::host::logs::format::Dresser;
use crate::host::logs::writer::Writer;
use crate::host::state::LogRecord;
use crate::host::sys::{ChildEnd, PipeEnd};

/// Bytes read at a child's end at most: a pipe's largest size, so that a grandchild that goes on writing holds up
/// nothing.
const DRAIN: usize = 1024 * 1024;

/// A file that both streams of a unit may go to.
pub(super) type SharedWriter = Rc<RefCell<Writer>>;

/// One pipe of a unit and where its bytes go.
pub(super) struct Pipe {
    child_end: ChildEnd,
    fd: PipeEnd,
    capture: RefCell<Capture>,
    task: RefCell<Option<AbortHandle>>,
}

struct Capture {
    dresser: Dresser,
    writer: Option<SharedWriter>,
    echo: Echo,
    name: Id,
    tx: mpsc::UnboundedSender<Input>,
    /// A text that means readiness, whom to tell, and the last of what was searched.
    look_for: Option<(Vec<u8>, Id, mpsc::UnboundedSender<Input>)>,
    tail: Vec<u8>,
    dressed: Vec<u8>,
    echo_at_line: bool,
}

impl Pipe {
    pub(super) fn new(
        child_end: ChildEnd,
        fd: PipeEnd,
        name: Id,
        dresser: Dresser,
        writer: Option<SharedWriter>,
        echo: Echo,
        tx: mpsc::UnboundedSender<Input>,
    ) -> Self {
        let capture = Capture {
            dresser,
            writer,
            echo,
            name,
            tx,
            look_for: None,
            tail: Vec::new(),
            dressed: Vec::new(),
            echo_at_line: true,
        };
        Self { child_end, fd, capture: RefCell::new(capture), task: RefCell::new(None) }
    }

    /// Where services open it.
    pub(super) const fn child_end(&self) -> &ChildEnd {
        &self.child_end
    }

    /// Reads for ever.
    pub(super) fn start(self: &Rc<Self>, buffer: &Rc<RefCell<Vec<u8>>>) {
        let (pipe, buffer) = (Rc::clone(self), Rc::clone(buffer));
        let task = tokio::task::spawn_local(async move {
            loop {
                let Ok(mut ready) = pipe.fd.readable().await else { return };
                let read = ready.try_io(|fd| {
                    let mut buffer = buffer.borrow_mut();
                    let count = fd.get_ref().read(&mut buffer)?;
                    if let Some(bytes) = buffer.get(..count) {
                        pipe.capture.borrow_mut().take(bytes);
                    }
                    Ok(count)
                });
                if let Ok(Err(error)) = read
                    && error.kind() != std::io::ErrorKind::Interrupted
                {
                    return;
                }
                // A pipe that is always full must leave time for everybody else.
                tokio::task::coop::consume_budget().await;
            }
        });
        *self.task.borrow_mut() = Some(task.abort_handle());
    }

    /// What is in the pipe now, and the half line that nobody will end.
    pub(super) fn drain(&self, buffer: &RefCell<Vec<u8>>) {
        self.drain_now(buffer);
        self.capture.borrow_mut().flush();
    }

    /// What is in the pipe now, but for the beginning of a line, which is returned.
    pub(super) fn drain_whole(&self, buffer: &RefCell<Vec<u8>>) -> Vec<u8> {
        self.drain_now(buffer);
        self.capture.borrow_mut().dresser.take_partial()
    }

    fn drain_now(&self, buffer: &RefCell<Vec<u8>>) {
        let mut buffer = buffer.borrow_mut();
        let mut capture = self.capture.borrow_mut();
        let mut left = DRAIN;
        while left > 0 {
            let Ok(count @ 1..) = self.fd.get_ref().read(&mut buffer) else { break };
            capture.take(buffer.get(..count).unwrap_or_default());
            left = left.saturating_sub(count);
        }
    }

    pub(super) fn look_for(&self, text: &str, id: &Id, tx: &mpsc::UnboundedSender<Input>) {
        let mut capture = self.capture.borrow_mut();
        capture.tail.clear();
        capture.look_for = Some((text.as_bytes().to_vec(), Rc::clone(id), tx.clone()));
    }

    pub(super) fn stop_looking(&self) {
        let mut capture = self.capture.borrow_mut();
        capture.look_for = None;
        capture.tail = Vec::new();
    }

    pub(super) fn record(&self) -> Option<LogRecord> {
        let capture = self.capture.borrow();
        let writer = capture.writer.as_ref()?.borrow();
        Some(LogRecord { path: writer.path().to_owned(), dropped: writer.dropped, trouble: writer.trouble.clone() })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if let Some(task) = self.task.borrow_mut().take() {
            task.abort();
        }
    }
}

impl Capture {
    fn take(&mut self, bytes: &[u8]) {
        self.search(bytes);
        self.echo(bytes);
        if let Some(writer) = &self.writer {
            self.dressed.clear();
            self.dresser.take(bytes, Timestamp::now(), &mut self.dressed);
            let mut writer = writer.borrow_mut();
            writer.write(&self.dressed);
            if let Some(trouble) = writer.news() {
                let _ = self.tx.send(Input::LogTrouble(Rc::clone(&self.name), trouble));
            }
            // One large burst must not cost this much memory for ever.
            if self.dressed.capacity() > 16 * 1024 {
                self.dressed = Vec::new();
            }
        }
    }

    fn flush(&mut self) {
        if let Some(writer) = &self.writer {
            self.dressed.clear();
            self.dresser.flush(Timestamp::now(), &mut self.dressed);
            writer.borrow_mut().write(&self.dressed);
        }
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
        let keep = self.tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
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
            Echo::Named => {
                let mut out = Vec::with_capacity(bytes.len() + 64);
                for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                    if self.echo_at_line {
                        out.extend_from_slice(format!("{} | ", self.name).as_bytes());
                    }
                    out.extend_from_slice(line);
                    self.echo_at_line = line.last() == Some(&b'\n');
                }
                let _ = std::io::stdout().write_all(&out).and_then(|()| std::io::stdout().flush());
            }
        }
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|window| window == text)
}

/// Tells the loop what a watcher of a run saw.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) id: Id,
    pub(super) run: Rc<str>,
    pub(super) tx: mpsc::UnboundedSender<Input>,
}

impl Teller {
    pub(super) fn tell(&self, seen: Seen) {
        let _ = self.tx.send(Input::Seen(Rc::clone(&self.id), Rc::clone(&self.run), seen));
    }
}
