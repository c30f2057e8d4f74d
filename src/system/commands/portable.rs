//! Where pipes can't be waited for together: a thread each, and one for the end of the process.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Ended, MAX_OUTPUT};

/// When the process has ended, its outputs normally end at once; only something that it left behind still holds them.
const AFTERWARDS: Duration = Duration::from_millis(250);

type Bytes = Arc<Mutex<Vec<u8>>>;

/// Runs the command; None: it took too long and was killed.
pub(super) fn run(command: &mut Command, stdin: Vec<u8>, until: Instant) -> io::Result<Option<Ended>> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A command that does not want to read on has a right to.
        std::thread::spawn(move || pipe.write_all(&stdin));
    }
    let (done, ends) = mpsc::channel();
    let stdout = reader(child.stdout.take(), done.clone());
    let stderr = reader(child.stderr.take(), done);
    let mut deadline = until;
    let mut timed_out = false;
    let mut open = 2;
    while open > 0 {
        match ends.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(()) => open -= 1,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) if timed_out || child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                child.kill()?;
                deadline = Instant::now() + AFTERWARDS;
            }
        }
    }
    let status = child.wait()?;
    if timed_out {
        return Ok(None);
    }
    Ok(Some(Ended { code: status.code(), signal: None, stdout: taken(&stdout), stderr: taken(&stderr) }))
}

fn reader(pipe: Option<impl Read + Send + 'static>, done: mpsc::Sender<()>) -> Bytes {
    let bytes = Bytes::default();
    let filled = Arc::clone(&bytes);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        if let Some(mut pipe) = pipe {
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                if let Ok(mut filled) = filled.lock() {
                    let room = MAX_OUTPUT.saturating_sub(filled.len());
                    filled.extend_from_slice(&buffer[..count.min(room)]);
                }
            }
        }
        // Nobody waits any more after a timeout.
        let _ = done.send(());
    });
    bytes
}

fn taken(bytes: &Bytes) -> Vec<u8> {
    bytes.lock().map(|mut bytes| std::mem::take(&mut *bytes)).unwrap_or_default()
}
