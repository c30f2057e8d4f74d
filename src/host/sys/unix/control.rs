//! The control socket: readable and writable by its owner only.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

/// What a program leaves to the one that it becomes: the socket that listens.
pub type Socket = OwnedFd;

/// The reading half of a connection.
pub type ReadEnd = OwnedReadHalf;

/// The writing half of a connection.
pub type WriteEnd = OwnedWriteHalf;

/// The socket, while it listens.
#[derive(Debug)]
pub struct Listener(UnixListener);

impl Listener {
    /// Makes it, in place of one that nobody listens to any more.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let _ = std::fs::remove_file(path);
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(path);
        nix::sys::stat::umask(before);
        bound.map(Self)
    }

    /// One at the same path, after that was taken away.
    pub fn again(self: &Rc<Self>, path: &Path) -> io::Result<Rc<Self>> {
        Self::bind(path).map(Rc::new)
    }

    /// Goes on with one that another program left to us.
    pub fn go_on(socket: Socket) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixListener::from(socket);
        socket.set_nonblocking(true)?;
        UnixListener::from_std(socket).map(Self)
    }

    /// The next client.
    pub async fn accept(&self) -> io::Result<Stream> {
        self.0.accept().await.map(|(stream, _)| Stream(stream))
    }

    /// The socket for another program.
    pub fn hand_over(&self) -> io::Result<Socket> {
        use std::os::fd::AsFd;
        self.0.as_fd().try_clone_to_owned()
    }
}

/// A client's connection.
#[derive(Debug)]
pub struct Stream(UnixStream);

impl Stream {
    /// Root and ourselves.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        let ours = nix::unistd::geteuid().as_raw();
        self.0.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == ours)
    }

    /// Its halves.
    #[must_use]
    pub fn split(self) -> (ReadEnd, WriteEnd) {
        self.0.into_split()
    }
}

/// Whether a client that says no more still listens.
pub async fn still_listens(write: &WriteEnd) -> bool {
    write.ready(Interest::WRITABLE).await.is_ok_and(|ready| !ready.is_write_closed())
}

/// A client's end, blocking.
#[derive(Debug)]
pub struct Caller(BufReader<std::os::unix::net::UnixStream>);

impl Caller {
    /// Connects. `NotFound` or `ConnectionRefused`: nobody listens.
    pub fn connect(path: &Path) -> io::Result<Self> {
        std::os::unix::net::UnixStream::connect(path).map(BufReader::new).map(Self)
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Adds what comes up to the end of a line; 0: there is no more. `WouldBlock` or `TimedOut`: not within the time.
    pub fn line(&mut self, line: &mut Vec<u8>, timeout: Option<Duration>) -> io::Result<usize> {
        // Of the answers of a thousand units, many come at once.
        if memchr::memchr(b'\n', self.0.buffer()).is_none() {
            self.0.get_ref().set_read_timeout(timeout)?;
        }
        self.0.read_until(b'\n', line)
    }
}
