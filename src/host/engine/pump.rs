//! From a service's pipe to where its bytes go.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::capture::{Capture, Hands};
use super::pace::{PACE, Pace};
use super::{Id, Input, Seen};
use crate::host::logs::handover::{Left, SIZE};
use crate::host::state::LogRecord;
use crate::host::sys::{ChildEnd, PipeEnd};

/// Bytes read at a child's end at most: a pipe's largest size, so that a grandchild that goes on writing holds up
/// nothing.
const DRAIN: usize = 1024 * 1024;

/// A pipe as it is made, and one of a unit that writes much.
const SMALL: usize = 64 * 1024;
const LARGE: usize = 1024 * 1024;

/// Who reads so much at once reads from a unit that is busy.
const MUCH: usize = SMALL / 2;

/// So many pipes are large at once. The kernel allows a user 64 MiB of pipes, and then makes all new ones tiny.
const MOST_LARGE: usize = 24;

/// Milliseconds between two looks at a new pipe, until it is listened to: enough for most programs to begin.
const UNHEARD: [u64; 6] = [1, 2, 4, 5, 5, 5];

/// What the pipes of an engine share.
pub(super) struct Pumps {
    pub(super) hands: RefCell<Hands>,
    /// What an earlier supervisor had in hand.
    pub(super) left: RefCell<Option<Left>>,
    pace: RefCell<Option<Rc<Pace>>>,
    large: Cell<usize>,
}

/// One pipe of a unit, read for as long as it is kept.
pub(super) struct Pipe {
    source: Rc<Source>,
    task: AbortHandle,
}

/// What its task and the engine read from.
pub(super) struct Source {
    child_end: ChildEnd,
    end: PipeEnd,
    number: u64,
    capture: RefCell<Capture>,
    is_large: Cell<bool>,
    pumps: Rc<Pumps>,
}

impl Pumps {
    pub(super) fn new(hands: Hands) -> Self {
        let left = hands.buffer.left();
        Self { hands: RefCell::new(hands), left: RefCell::new(left), pace: RefCell::default(), large: Cell::new(0) }
    }

    fn pace(&self) -> io::Result<Rc<Pace>> {
        let mut pace = self.pace.borrow_mut();
        Ok(Rc::clone(match &mut *pace {
            Some(pace) => pace,
            none => none.insert(Pace::start()?),
        }))
    }
}

impl Pipe {
    /// `number` tells it from others; `goes_on`: an earlier supervisor read from it.
    pub(super) fn new(
        child_end: ChildEnd,
        end: PipeEnd,
        number: u64,
        mut capture: Capture,
        goes_on: bool,
        pumps: Rc<Pumps>,
    ) -> Self {
        capture.begin(goes_on);
        let left = pumps.left.borrow_mut().take_if(|left| left.pipe == number);
        if let Some(left) = left {
            capture.finish(&mut pumps.hands.borrow_mut(), &left);
        }
        let (capture, is_large) = (RefCell::new(capture), Cell::new(false));
        let source = Rc::new(Source { child_end, end, number, capture, is_large, pumps });
        let pumped = Rc::clone(&source);
        let task = tokio::task::spawn_local(async move {
            // One that can't be read is not read; its service then waits for us, and is stopped as ever.
            let _ = pumped.pump().await;
        });
        Self { source, task: task.abort_handle() }
    }
}

impl std::ops::Deref for Pipe {
    type Target = Source;

    fn deref(&self) -> &Source {
        &self.source
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.task.abort();
        self.shrink();
    }
}

impl Source {
    /// Where services open it.
    pub(super) const fn child_end(&self) -> &ChildEnd {
        &self.child_end
    }

    /// What it is told from others by.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Nobody will write to it any more.
    pub(super) fn remove(&self) {
        self.child_end.remove();
        self.capture.borrow_mut().kept.forget();
    }

    async fn pump(&self) -> io::Result<()> {
        if cfg!(target_os = "linux") {
            // Boxed: it takes no memory for the rest of the pipe's life.
            Box::pin(self.while_unheard()).await?;
        }
        loop {
            self.while_quiet().await?;
            self.while_busy().await?;
        }
    }

    /// Reads without ever having listened, for as long as much comes.
    ///
    /// Linux never forgets that a pipe was polled: from then on each write to it wakes up whoever might be listening,
    /// also when nobody is (`poll_usage` in `fs/pipe.c`, since 5.14). That costs a tenth of what a program can write line
    /// by line, so one that begins with a flood is not listened to before it has had a rest.
    async fn while_unheard(&self) -> io::Result<()> {
        let mut pauses = UNHEARD.iter();
        loop {
            if self.while_busy().await? {
                pauses = UNHEARD.iter();
            }
            let Some(pause) = pauses.next() else { return Ok(()) };
            tokio::time::sleep(Duration::from_millis(*pause)).await;
        }
    }

    /// Reads what comes at once, until more comes than a line now and then.
    async fn while_quiet(&self) -> io::Result<()> {
        let mut listening = self.end.listen()?;
        let mut last: Option<Instant> = None;
        loop {
            listening.until_more().await?;
            if last.is_some_and(|at| at.elapsed() < PACE) {
                return Ok(());
            }
            if self.read()? >= MUCH {
                return Ok(());
            }
            last = Some(Instant::now());
        }
    }

    /// Reads at a pace, and does not listen meanwhile, until nothing came. Whether much came.
    async fn while_busy(&self) -> io::Result<bool> {
        let pace = self.pumps.pace()?;
        let mut much = false;
        loop {
            pace.next().await;
            let mut came = false;
            loop {
                let count = self.read()?;
                came |= count > 0;
                much |= count >= MUCH;
                // Less than that is all there was: the next is better left until there is more.
                if !PipeEnd::fills(count, SIZE) {
                    break;
                }
                // A pipe that is always full must leave time for everybody else.
                tokio::task::yield_now().await;
            }
            if !came {
                self.shrink();
                return Ok(much);
            }
        }
    }

    /// What is in the pipe now, as much as one read takes.
    fn read(&self) -> io::Result<usize> {
        let mut hands = self.pumps.hands.borrow_mut();
        let count = match hands.buffer.read(&self.end, self.number) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => Ok(0),
            other => other,
        }?;
        if count > 0 {
            self.capture.borrow_mut().take(&mut hands, count);
        }
        if count >= MUCH {
            self.grow();
        }
        Ok(count)
    }

    fn grow(&self) {
        let large = &self.pumps.large;
        if !self.is_large.get() && large.get() < MOST_LARGE && self.end.resize(LARGE).is_ok() {
            self.is_large.set(true);
            large.set(large.get() + 1);
        }
    }

    fn shrink(&self) {
        // Not while it holds more than that again.
        if self.is_large.get() && self.end.resize(SMALL).is_ok() {
            self.is_large.set(false);
            self.pumps.large.set(self.pumps.large.get().saturating_sub(1));
        }
    }

    /// What is in the pipe now, and the half line that nobody will end.
    pub(super) fn drain(&self) {
        self.drain_whole();
        self.capture.borrow_mut().flush_by(&mut self.pumps.hands.borrow_mut());
    }

    /// What is in the pipe now; the next supervisor goes on in the middle of a line.
    pub(super) fn drain_whole(&self) {
        let mut left = DRAIN;
        while left > 0 {
            let Ok(count @ 1..) = self.read() else { break };
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
        self.capture.borrow().record()
    }
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
