//! The keeper: a small process beside a supervisor, which holds what the kernel would drop with it.
//!
//! A pipe keeps what is in it for as long as anybody has it open. When a service and its supervisor are killed together,
//! nobody has, and the last lines would be gone; so would the socket that services tell their readiness to. The keeper has
//! them before a service is run: who sends a descriptor need not wait until it is taken, the kernel holds it on its way.
//!
//! The next supervisor finds the keeper by its socket in the runtime folder, opens the pipes by their names and takes the
//! sockets back. While no supervisor is there, the keeper ends when no pipe has anything in it or anybody who could write
//! to it, and when its name is gone. It reads nothing from pipes, and has their reading ends only. It does read the
//! sockets then, for `READY=1` and `STATUS=`: a full queue would make services wait that send heartbeats.
//!
//! The control socket is not kept. Who connects to one that nobody answers is to be refused: that is how a command knows
//! that it has to start a supervisor.
//!
//! It is a fork, not a program of its own: what it shares with the supervisor is there once, and it needs little more than
//! a stack.

mod message;
mod process;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::ForkResult;

use self::message::{LENGTH, Message, word};
use self::process::number;
use super::datagram::NotifySocket;
use super::fifo::ChildEnd;

/// A keeper answers within this time, or another is made.
const PATIENCE: Duration = Duration::from_secs(3);

/// It holds so many descriptors at most.
const MOST: usize = 32 * 1024;

/// The link to the keeper.
#[derive(Debug)]
pub struct Keeper {
    link: UnixStream,
    pid: i32,
}

/// A socket that a keeper had.
#[derive(Debug)]
pub struct Kept {
    /// What it was held by.
    pub key: u64,
    /// What services said while nobody read it, in the words of `sd_notify`.
    pub said: String,
    pub(super) socket: OwnedFd,
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("keeper.sock")
}

impl Keeper {
    /// The keeper that an earlier supervisor of the folder left, with the sockets that it has; or a new one.
    pub fn find_or_make(folder: &Path) -> io::Result<(Self, Vec<Kept>)> {
        let path = socket_in(folder);
        find(&path).or_else(|_| make(&path).map(|keeper| (keeper, Vec::new())))
    }

    /// Its process.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Has it hold a pipe.
    pub fn hold_pipe(&self, key: u64, pipe: &ChildEnd) -> io::Result<()> {
        let end: File = pipe.open_for_keeping()?;
        self.tell(word::HOLD_PIPE, key, Some(number(&end)))
    }

    /// Has it hold a socket.
    pub fn hold_socket(&self, key: u64, socket: &NotifySocket) -> io::Result<()> {
        self.tell(word::HOLD_SOCKET, key, Some(number(socket)))
    }

    /// It need not hold that any more.
    pub fn forget(&self, key: u64) -> io::Result<()> {
        self.tell(word::FORGET, key, None)
    }

    /// Ends it. It is not waited for: it does nothing else when it is told so, and somebody may wait for our lock.
    pub fn dismiss(self, folder: &Path) {
        let _ = self.tell(word::END, 0, None);
        let _ = std::fs::remove_file(socket_in(folder));
    }

    /// What returns when it is gone.
    pub fn end(&self) -> io::Result<impl Future<Output = ()> + use<>> {
        let link = tokio::net::UnixStream::from_std(self.link.try_clone()?)?;
        Ok(async move {
            loop {
                if link.readable().await.is_err() {
                    return;
                }
                match link.try_read(&mut [0; LENGTH]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // It says nothing that it is not asked for.
                    Ok(1..) => {}
                    _ => return,
                }
            }
        })
    }

    fn tell(&self, word: u32, key: u64, file: Option<i32>) -> io::Result<()> {
        let bytes = Message::new(word, key).bytes();
        loop {
            match message::send(number(&self.link), &bytes, file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut polled = [PollFd::new(std::os::fd::AsFd::as_fd(&self.link), PollFlags::POLLOUT)];
                    match poll(&mut polled, PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX)) {
                        Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                other => return other,
            }
        }
    }
}

fn find(path: &Path) -> io::Result<(Keeper, Vec<Kept>)> {
    let link = UnixStream::connect(path)?;
    if message::peer(&link)? != nix::unistd::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    link.set_read_timeout(Some(PATIENCE))?;
    let mut keeper = Keeper { link, pid: 0 };
    keeper.tell(word::GIVE, 0, None)?;
    let mut kept: Vec<Kept> = Vec::new();
    loop {
        let mut bytes = [0; LENGTH];
        let file = take(&keeper.link, &mut bytes)?;
        let message = Message::from_bytes(bytes);
        match (message.word, file) {
            (word::SOCKET, Some(socket)) => kept.push(Kept { key: message.key, said: String::new(), socket }),
            (word::SAID, _) => {
                let mut text = vec![0; usize::try_from(message.length).unwrap_or(0)];
                take(&keeper.link, &mut text)?;
                if let Some(last) = kept.last_mut().filter(|last| last.key == message.key) {
                    last.said = String::from_utf8_lossy(&text).into_owned();
                }
            }
            (word::ALL, _) => {
                keeper.pid = i32::try_from(message.key).unwrap_or(0);
                keeper.link.set_read_timeout(None)?;
                keeper.link.set_nonblocking(true)?;
                return Ok((keeper, kept));
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Takes so many bytes as were sent at once.
fn take(link: &UnixStream, bytes: &mut [u8]) -> io::Result<Option<OwnedFd>> {
    loop {
        match message::receive(number(link), bytes, libc::MSG_WAITALL) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok((count, file)) if count == bytes.len() => return Ok(file),
            Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(error),
        }
    }
}

fn make(path: &Path) -> io::Result<Keeper> {
    let _ = std::fs::remove_file(path);
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = bound?;
    listener.set_nonblocking(true)?;
    let (link, its) = UnixStream::pair()?;
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let most = usize::try_from(limit).unwrap_or(MOST).min(MOST);
    let place = CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let keeper = process::Keeper::new(number(&listener), number(&its), place, most)?;
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut mask))?;
    // SAFETY: the child makes system calls on what was made before; it takes no lock, allocates nothing and never returns.
    let forked = unsafe { nix::unistd::fork() };
    if matches!(forked, Ok(ForkResult::Child)) {
        keeper.run();
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None);
    let Ok(ForkResult::Parent { child }) = forked else {
        let _ = std::fs::remove_file(path);
        return Err(forked.err().map_or_else(io::Error::last_os_error, io::Error::from));
    };
    link.set_nonblocking(true)?;
    Ok(Keeper { link, pid: child.as_raw() })
}
