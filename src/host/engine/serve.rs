//! The control socket: owner only, peers checked, requests bounded; a client that says nothing is nobody's concern.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::{Engine, Input, jobs};
use crate::error::{IoContext, Result};
use crate::host::control::{self, Answer, LONGEST, Request, Trouble};
use crate::host::sys;

/// A client has so long to say what it wants, and to take each line of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients have so long to take the last answers when the supervisor ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// When nobody can be accepted, it is tried again after so long, and then less often.
const REFUSED: Duration = Duration::from_millis(10);

/// So much of an answer is written at once.
const PIECE: usize = 32 * 1024;

/// Clients at a time.
const CLIENTS: usize = 256;

/// The socket, while it listens.
pub(super) struct Server {
    task: AbortHandle,
    clients: Rc<Cell<usize>>,
    left: Rc<Notify>,
    pub(super) listener: Rc<sys::Listener>,
}

impl Server {
    /// Accepts nobody any more; who connects waits.
    pub(super) async fn pause(&self) {
        self.task.abort();
        tokio::task::yield_now().await;
    }

    /// Waits a moment until every client has its answer.
    pub(super) async fn close(&self) {
        self.task.abort();
        let all_left = async {
            while self.clients.get() > 0 {
                self.left.notified().await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, all_left).await;
    }
}

impl Engine {
    pub(super) fn open_socket(&mut self) -> Result<Server> {
        let path = control::socket(&self.options.layout);
        let bound = match self.socket.take() {
            Some(socket) => sys::Listener::go_on(socket),
            // We hold the lock: whoever made that socket is dead.
            None => sys::Listener::bind(&path),
        };
        let listener = Rc::new(bound.doing(format_args!("listen on `{}`", path.display()))?);
        let accepting = Rc::clone(&listener);
        let tx = self.tx.clone();
        let clients = Rc::new(Cell::new(0));
        let left = Rc::new(Notify::new());
        let (count, leave) = (Rc::clone(&clients), Rc::clone(&left));
        let task = tokio::task::spawn_local(async move {
            let mut pause = REFUSED;
            loop {
                let Ok(stream) = accepting.accept().await else {
                    // Out of file descriptors, most likely. Nothing tells when one is closed, and who waits to be
                    // accepted keeps the socket ready: asked again at once it would be asked for ever.
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                    continue;
                };
                pause = REFUSED;
                if clients.get() >= CLIENTS || !stream.is_allowed() {
                    continue;
                }
                clients.set(clients.get() + 1);
                let (tx, clients, left) = (tx.clone(), Rc::clone(&clients), Rc::clone(&left));
                tokio::task::spawn_local(async move {
                    let _ = talk(stream, tx).await;
                    clients.set(clients.get() - 1);
                    left.notify_one();
                });
            }
        });
        Ok(Server { task: task.abort_handle(), clients: count, left: leave, listener })
    }
}

async fn talk(stream: sys::Stream, tx: mpsc::UnboundedSender<Input>) -> std::io::Result<()> {
    let (read, mut write) = stream.split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(read.take(LONGEST as u64));
    tokio::time::timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await??;
    let (answer, mut answers) = jobs::answers();
    match request(&line) {
        Ok(request) => {
            let _ = tx.send(Input::Request(request.ask, answer));
        }
        Err(why) => {
            let _ = answer.try_send(Answer::Refused(Trouble::new(why)));
            let _ = answer.try_send(Answer::Done);
        }
    }
    let mut read = reader.into_inner().into_inner();
    loop {
        let answer = tokio::select! {
            answer = answers.recv() => answer,
            // Its request goes on; its place is somebody else's.
            () = gone(&mut read, &write) => None,
        };
        let Some(mut answer) = answer else { break };
        let mut text = Vec::new();
        let mut done = false;
        // Those of a thousand units are one write, or a few.
        while !done {
            serde_json::to_writer(&mut text, &answer)?;
            text.push(b'\n');
            done = answer == Answer::Done;
            match answers.try_recv() {
                Ok(next) if text.len() < PIECE => answer = next,
                Ok(next) => {
                    tokio::time::timeout(PATIENCE, write.write_all(&text)).await??;
                    text.clear();
                    answer = next;
                }
                Err(_) => break,
            }
        }
        tokio::time::timeout(PATIENCE, write.write_all(&text)).await??;
        if done {
            break;
        }
    }
    Ok(())
}

/// Returns when the client has closed its end; one that only has no more to say still listens.
async fn gone(read: &mut sys::ReadEnd, write: &sys::WriteEnd) {
    while matches!(read.read(&mut [0; 512]).await, Ok(1..)) {}
    if sys::still_listens(write).await {
        std::future::pending::<()>().await;
    }
}

#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}

fn request(line: &[u8]) -> std::result::Result<Request, String> {
    if line.last() != Some(&b'\n') {
        return Err(format!("a request is one line of at most {LONGEST} bytes"));
    }
    let wrong = |error: serde_json::Error| format!("this is no request: {error}");
    let Version { version } = serde_json::from_slice(line).map_err(wrong)?;
    if version != control::VERSION {
        return Err(format!(
            "the supervisor is daemonctl {}, which speaks version {} of its protocol and not {version}; \
             restart the supervisor with the new daemonctl",
            env!("CARGO_PKG_VERSION"),
            control::VERSION
        ));
    }
    serde_json::from_slice(line).map_err(wrong)
}
