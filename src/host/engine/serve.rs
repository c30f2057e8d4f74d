//! The control socket: owner only, peers checked, requests bounded; a client that says nothing is nobody's concern.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

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
    clients: Rc<Clients>,
    pub(super) listener: Rc<sys::Listener>,
}

/// Who is connected.
struct Clients {
    tx: mpsc::UnboundedSender<Input>,
    count: Cell<usize>,
    left: Notify,
}

impl Server {
    fn open(listener: Rc<sys::Listener>, clients: Rc<Clients>) -> Self {
        let (accepting, theirs) = (Rc::clone(&listener), Rc::clone(&clients));
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
                theirs.hear(stream);
            }
        });
        Self { task: task.abort_handle(), clients, listener }
    }

    /// Accepts nobody any more; who connects waits.
    pub(super) async fn pause(&self) {
        self.task.abort();
        tokio::task::yield_now().await;
    }

    /// Waits a moment until every client has its answer.
    pub(super) async fn close(&self) {
        self.task.abort();
        let all_left = async {
            while self.clients.count.get() > 0 {
                self.clients.left.notified().await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, all_left).await;
    }

    /// Before an end that nobody asked for: what is heard of who is connected, or was about to be; None: nobody is, and
    /// from now on nobody finds the socket at `path`. Who looked for it a moment too early would be cut off otherwise.
    pub(super) async fn retire(self, path: &Path) -> Result<Option<Self>> {
        if self.clients.count.get() > 0 {
            return Ok(Some(self));
        }
        let _ = std::fs::remove_file(path);
        self.pause().await;
        while let Ok(Ok(stream)) = tokio::time::timeout(Duration::ZERO, self.listener.accept()).await {
            self.clients.hear(stream);
        }
        if self.clients.count.get() == 0 {
            return Ok(None);
        }
        let again = self.listener.again(path).doing(format_args!("listen on `{}`", path.display()))?;
        Ok(Some(Self::open(again, self.clients)))
    }
}

impl Clients {
    /// Talks with a client, if it may.
    fn hear(self: &Rc<Self>, stream: sys::Stream) {
        if self.count.get() >= CLIENTS || !stream.is_allowed() {
            return;
        }
        self.count.set(self.count.get() + 1);
        let here = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let _ = talk(stream, here.tx.clone()).await;
            here.count.set(here.count.get() - 1);
            here.left.notify_one();
        });
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
        let listener = bound.doing(format_args!("listen on `{}`", path.display()))?;
        let clients = Clients { tx: self.tx.clone(), count: Cell::new(0), left: Notify::new() };
        Ok(Server::open(Rc::new(listener), Rc::new(clients)))
    }

    /// Whether it ends now that it has nothing to supervise: not if somebody is about to change that.
    pub(super) async fn may_retire(&mut self, server: &mut Option<Server>) -> Result<bool> {
        if self.ending.is_some() {
            return Ok(true);
        }
        let Some(open) = server.take() else { return Ok(true) };
        *server = open.retire(&control::socket(&self.options.layout)).await?;
        if server.is_some() {
            self.empty_since = Some(Instant::now());
        }
        Ok(server.is_none())
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
