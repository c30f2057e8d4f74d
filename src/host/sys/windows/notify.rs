//! Where services tell their readiness (`sd_notify`): there are no Unix sockets everywhere here, so `NOTIFY_SOCKET` names a
//! pipe, and each write to it is a message.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use tokio::io::AsyncReadExt;
use tokio::net::windows::named_pipe::{NamedPipeServer, PipeMode, ServerOptions};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::control::{pipe_name, with_private_access};

/// Messages that wait to be taken, at most.
const BACKLOG: usize = 64;

/// The pipe of a unit.
#[must_use]
pub fn notify_path(runtime: &Path, unit: &str) -> PathBuf {
    pipe_name(&runtime.join("notify").join(unit)).into()
}

/// The pipe of a unit, in the event loop.
#[derive(Debug)]
pub struct NotifySocket {
    messages: RefCell<mpsc::Receiver<Vec<u8>>>,
    task: AbortHandle,
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NotifySocket {
    /// Listens, for our own account.
    pub fn bind(path: &Path, _: Option<(u32, u32)>) -> io::Result<Self> {
        let name = path.to_string_lossy().into_owned();
        let mut next = server(&name, true)?;
        let (sender, messages) = mpsc::channel(BACKLOG);
        let task = tokio::task::spawn_local(async move {
            while next.connect().await.is_ok() {
                let Ok(following) = server(&name, false) else { return };
                let mut client = std::mem::replace(&mut next, following);
                let sender = sender.clone();
                tokio::task::spawn_local(async move {
                    let mut buffer = vec![0; 4096];
                    while let Ok(count @ 1..) = client.read(&mut buffer).await {
                        if sender.send(buffer.get(..count).unwrap_or_default().to_vec()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Self { messages: RefCell::new(messages), task: task.abort_handle() })
    }

    /// Never called, as nothing is ever kept.
    #[expect(clippy::needless_pass_by_value, reason = "as on Unix, where the socket is taken out of it")]
    pub fn go_on(kept: super::Kept, _: Option<(u32, u32)>) -> io::Result<Self> {
        match kept.none {}
    }

    /// Waits for the next message, and gives its length.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let message = std::future::poll_fn(|context| self.messages.borrow_mut().poll_recv(context))
            .await
            .ok_or(io::ErrorKind::BrokenPipe)?;
        let length = message.len().min(buffer.len());
        buffer.iter_mut().zip(message).for_each(|(to, from)| *to = from);
        Ok(length)
    }
}

fn server(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    let mut options = ServerOptions::new();
    options.pipe_mode(PipeMode::Message).first_pipe_instance(first).reject_remote_clients(true);
    with_private_access(|attributes| {
        // SAFETY: the attributes and their descriptor live until the call returns.
        unsafe { options.create_with_security_attributes_raw(name, attributes) }
    })
}
