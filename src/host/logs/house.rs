//! Throwing away and compressing, off the loop, however fast logs rotate: one thread at a time for each.
//!
//! They are apart because only compressing can wait. Who compresses leaves the processor to everybody else, and beside a
//! service that floods on a busy machine has next to none; if what is too old waited behind that, a flood would fill the
//! disk, whatever `keep` says.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::rotate::{Retention, keep_house, throw_away_first};
use crate::host::sys;

struct Job {
    current: PathBuf,
    retention: Retention,
    /// Who waits for it.
    done: Option<oneshot::Sender<()>>,
}

impl Job {
    fn end(self) {
        if let Some(done) = self.done {
            let _ = done.send(());
        }
    }
}

/// Has a log's rotated files compressed, and what is too much thrown away, in its turn.
pub fn keep(current: PathBuf, retention: Retention) -> io::Result<()> {
    THROWING.ask(Job { current, retention, done: None }).map_err(|(_, error)| error)
}

/// The same, and waits for it; false: it was not done, as somebody else asks for the same.
pub async fn kept(current: PathBuf, retention: Retention) -> io::Result<bool> {
    let (done, is_done) = oneshot::channel();
    THROWING.ask(Job { current, retention, done: Some(done) }).map_err(|(_, error)| error)?;
    Ok(is_done.await.is_ok())
}

static THROWING: Lane = Lane::new("logs", throw_away);
static COMPRESSING: Lane = Lane::new("compress", compress);

fn throw_away(job: Job) {
    // What could not be thrown away is tried again with the next rotation.
    let more = throw_away_first(&job.current, &job.retention);
    if !more {
        return job.end();
    }
    if let Err((job, _)) = COMPRESSING.ask(job) {
        // No other thread to be had.
        compress(*job);
    }
}

fn compress(job: Job) {
    sys::be_humble();
    // What could not be compressed is still there as it was, and is tried no more.
    let _ = keep_house(&job.current, &job.retention);
    job.end();
}

/// One kind of work, and its thread, which is there while there is work.
struct Lane {
    name: &'static str,
    work: fn(Job),
    /// What waits for the thread; None: it does not run.
    waiting: Mutex<Option<VecDeque<Job>>>,
}

impl Lane {
    const fn new(name: &'static str, work: fn(Job)) -> Self {
        Self { name, work, waiting: Mutex::new(None) }
    }

    /// Gives the job back if there is no thread to be had.
    fn ask(&'static self, job: Job) -> Result<(), (Box<Job>, io::Error)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_none()
            && let Err(error) = std::thread::Builder::new().name(self.name.into()).spawn(|| self.run())
        {
            return Err((Box::new(job), error));
        }
        let waiting = waiting.get_or_insert_default();
        // One look sees all that there is to do for a log.
        waiting.retain(|other| other.current != job.current);
        waiting.push_back(job);
        Ok(())
    }

    fn run(&self) {
        while let Some(job) = self.next() {
            (self.work)(job);
        }
    }

    /// None, and the thread is over, when nothing waits.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let job = waiting.as_mut().and_then(VecDeque::pop_front);
        if job.is_none() {
            *waiting = None;
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use jiff::Timestamp;

    use super::super::rotate::{generation, generations};
    use super::*;
    use crate::service::Compress;

    #[test]
    fn what_is_too_much_goes_while_compressing_takes_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let current = folder.path().join("current.log");
        let retention = Retention {
            keep: Some(2),
            max_age: None,
            total: None,
            compress: Compress::Zstd,
            archive: None,
            owner: None,
        };
        let rotated =
            |second: i64| generation(&current, None, Timestamp::from_second(1_700_000_000 + second).expect("a time"));
        let deadline = Instant::now() + Duration::from_secs(60);
        let nap = |what: &str| {
            assert!(Instant::now() < deadline, "{what}: {:?}", generations(&current, None));
            std::thread::sleep(Duration::from_millis(2));
        };
        // Looks as if its thread were at work, with something that has no end.
        loop {
            let mut waiting = COMPRESSING.waiting.lock().expect("a lock");
            if waiting.is_none() {
                *waiting = Some(VecDeque::new());
                break;
            }
            drop(waiting);
            nap("somebody compresses");
        }
        for second in 1..=9 {
            fs::write(rotated(second), "old\n").expect("write");
            keep(current.clone(), retention.clone()).expect("a thread");
        }
        while generations(&current, None) != [rotated(8), rotated(9)] {
            nap("they stay");
        }
        // Whatever others have asked for meanwhile.
        std::thread::spawn(|| COMPRESSING.run()).join().expect("its end");
    }
}
