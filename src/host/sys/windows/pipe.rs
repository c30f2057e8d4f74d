//! The pipe between a service and whoever captures its output. The host keeps an end for writing as well, so that it never
//! reports an end while services come and go.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};

use super::control::with_private_access;
use crate::error::{IoContext, Result};

/// What the system keeps of what nobody has read yet.
const ROOM: u32 = 256 * 1024;

/// Our end of a service's pipe, in the event loop.
#[derive(Debug)]
pub struct PipeEnd(Reader);

/// Reads what is there.
#[derive(Debug)]
pub struct Reader(NamedPipeServer);

impl Read for &Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

/// It was readable just now.
#[derive(Debug)]
pub struct Ready<'a>(&'a PipeEnd);

impl PipeEnd {
    /// Waits until there is something to read.
    pub async fn readable(&self) -> io::Result<Ready<'_>> {
        self.0.0.readable().await?;
        Ok(Ready(self))
    }

    /// What is read from.
    #[must_use]
    pub const fn get_ref(&self) -> &Reader {
        &self.0
    }
}

/// There was nothing to read after all.
#[derive(Debug)]
pub struct WouldBlock;

impl Ready<'_> {
    /// Tries something that reads.
    pub fn try_io<R>(
        &mut self,
        act: impl FnOnce(&PipeEnd) -> io::Result<R>,
    ) -> std::result::Result<io::Result<R>, WouldBlock> {
        match act(self.0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(WouldBlock),
            result => Ok(result),
        }
    }
}

/// Where the service's end is had.
#[derive(Debug, Clone)]
pub struct ChildEnd(Arc<File>);

impl ChildEnd {
    /// The service's end, once more.
    pub fn open(&self) -> Result<File> {
        self.0.try_clone().doing("open a pipe")
    }

    /// Its name is known to nobody, and goes with its ends.
    #[expect(clippy::unused_self, reason = "the same signature on each system")]
    pub const fn remove(&self) {}
}

/// A new pipe: both its ends.
pub fn log_pipe(_: &Path, _: Option<(u32, u32)>) -> Result<(PipeEnd, ChildEnd)> {
    make().doing("make a pipe")
}

fn make() -> io::Result<(PipeEnd, ChildEnd)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!(r"\\.\pipe\daemonctl-log-{}-{number}", std::process::id());
    let mut options = ServerOptions::new();
    options
        .access_outbound(false)
        .first_pipe_instance(true)
        .max_instances(1)
        .reject_remote_clients(true)
        .in_buffer_size(ROOM);
    let server = with_private_access(|attributes| {
        // SAFETY: the attributes and their descriptor live until the call returns.
        unsafe { options.create_with_security_attributes_raw(&name, attributes) }
    })?;
    let child = File::options().write(true).open(&name)?;
    Ok((PipeEnd(Reader(server)), ChildEnd(Arc::new(child))))
}

/// The end of a pipe that has this in it, and then ends.
pub fn holding(input: &[u8]) -> io::Result<File> {
    let (read, mut write) = io::pipe()?;
    write.write_all(input)?;
    Ok(OwnedHandle::from(read).into())
}
