//! Compressing and throwing away, off the loop: one thread at a time, however fast logs rotate.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::rotate::{Retention, keep_house};
use crate::host::sys;

struct Job {
    current: PathBuf,
    retention: Retention,
    /// Who waits for it.
    done: Option<oneshot::Sender<()>>,
}

/// What waits for the thread; None: it does not run.
static WAITING: Mutex<Option<VecDeque<Job>>> = Mutex::new(None);

/// Has a log's rotated files compressed, and what is too much thrown away, in its turn.
pub fn keep(current: PathBuf, retention: Retention) -> io::Result<()> {
    ask(Job { current, retention, done: None })
}

/// The same, and waits for it; false: it was not done, as somebody else asks for the same.
pub async fn kept(current: PathBuf, retention: Retention) -> io::Result<bool> {
    let (done, is_done) = oneshot::channel();
    ask(Job { current, retention, done: Some(done) })?;
    Ok(is_done.await.is_ok())
}

fn ask(job: Job) -> io::Result<()> {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.is_none() {
        std::thread::Builder::new().name("logs".into()).spawn(work)?;
    }
    let waiting = waiting.get_or_insert_default();
    // One look sees all that there is to do for a log.
    waiting.retain(|other| other.current != job.current);
    waiting.push_back(job);
    Ok(())
}

fn work() {
    sys::be_humble();
    while let Some(job) = next() {
        // What could not be compressed is still there as it was, and is tried no more.
        let _ = keep_house(&job.current, &job.retention);
        if let Some(done) = job.done {
            let _ = done.send(());
        }
    }
}

/// None, and the thread is over, when nothing waits.
fn next() -> Option<Job> {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let job = waiting.as_mut().and_then(VecDeque::pop_front);
    if job.is_none() {
        *waiting = None;
    }
    job
}
