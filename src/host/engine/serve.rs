//! The control socket: owner only, peers checked, requests bounded; a client that says nothing is nobody's concern.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::{Engine, Input, jobs};
use crate::error::{IoContext, Result};
use crate::host::control::{self, Answer, LONGEST, Request, Trouble};

/// A client has so long to say what it wants, and to take each line of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients have so long to take the last answers when the supervisor ends.
const FAREWELL: Duration = Duration::from_millis(500);

/// Clients at a time.
const CLIENTS: usize = 256;

/// The socket, while it listens.
pub(super) struct Server {
    task: AbortHandle,
    clients: Rc<Cell<usize>>,
    left: Rc<Notify>,
    pub(super) listener: Rc<UnixListener>,
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
        let bound = if let Some(socket) = self.socket.take() {
            let socket = std::os::unix::net::UnixListener::from(socket);
            socket.set_nonblocking(true).and_then(|()| UnixListener::from_std(socket))
        } else {
            // We hold the lock: whoever made that socket is dead.
            let _ = std::fs::remove_file(&path);
            let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
            let bound = UnixListener::bind(&path);
            nix::sys::stat::umask(before);
            bound
        };
        let listener = Rc::new(bound.doing(format_args!("listen on `{}`", path.display()))?);
        let accepting = Rc::clone(&listener);
        let tx = self.tx.clone();
        let clients = Rc::new(Cell::new(0));
        let left = Rc::new(Notify::new());
        let (count, leave) = (Rc::clone(&clients), Rc::clone(&left));
        let task = tokio::task::spawn_local(async move {
            loop {
                let Ok((stream, _)) = accepting.accept().await else {
                    // Out of file descriptors, most likely: wait for some to be closed.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                if clients.get() >= CLIENTS || !is_allowed(&stream) {
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

/// Root and ourselves.
fn is_allowed(stream: &UnixStream) -> bool {
    let ours = nix::unistd::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == ours)
}

async fn talk(stream: UnixStream, tx: mpsc::UnboundedSender<Input>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
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
        let Some(answer) = answer else { break };
        let mut text = serde_json::to_vec(&answer)?;
        text.push(b'\n');
        tokio::time::timeout(PATIENCE, write.write_all(&text)).await??;
        if answer == Answer::Done {
            break;
        }
    }
    Ok(())
}

/// Returns when the client has closed its end; one that only has no more to say still listens.
async fn gone(read: &mut OwnedReadHalf, write: &OwnedWriteHalf) {
    while matches!(read.read(&mut [0; 512]).await, Ok(1..)) {}
    if !write.ready(Interest::WRITABLE).await.is_ok_and(|ready| !ready.is_write_closed()) {
        return;
    }
    std::future::pending::<()>().await;
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
