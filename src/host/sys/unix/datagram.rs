//! The socket that services tell their readiness to (`sd_notify`), with the sender's identity where the kernel gives it.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tokio::io::unix::AsyncFd;

/// Binds it, for ourselves and `owner`.
fn bind_datagram(path: &Path, owner: Option<(u32, u32)>) -> io::Result<UnixDatagram> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    }
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::PassCred, &true)?;
    Ok(socket)
}

/// Takes one message: its length, and the sender's user id.
#[cfg(target_os = "linux")]
fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<(usize, Option<u32>)> {
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
    let mut space = nix::cmsg_space!(UnixCredentials, [std::os::fd::RawFd; 16]);
    let mut parts = [io::IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut sender = None;
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::ScmCredentials(credentials) => sender = Some(credentials.uid()),
            // Descriptors that nobody asked for (FDSTORE=1) are closed, not kept.
            ControlMessageOwned::ScmRights(files) => files.into_iter().for_each(|fd| {
                let _ = nix::unistd::close(fd);
            }),
            _ => {}
        }
    }
    Ok((message.bytes, sender))
}

/// Takes one message: its length; the sender is not known here, and the socket's permissions have to do.
#[cfg(not(target_os = "linux"))]
fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<(usize, Option<u32>)> {
    socket.recv(buffer).map(|length| (length, None))
}

/// Where a unit's socket lies.
#[must_use]
pub fn notify_path(runtime: &Path, unit: &str) -> PathBuf {
    runtime.join("notify").join(unit)
}

/// The socket of a unit, in the event loop.
#[derive(Debug)]
pub struct NotifySocket {
    socket: AsyncFd<UnixDatagram>,
    owner: Option<u32>,
}

impl NotifySocket {
    /// Binds it, for ourselves and `owner`.
    pub fn bind(path: &Path, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let socket = super::watched::watched_datagram(bind_datagram(path, owner)?)?;
        Ok(Self { socket, owner: owner.map(|owner| owner.0) })
    }

    /// Goes on with one that a keeper had.
    pub fn go_on(kept: super::Kept, owner: Option<(u32, u32)>) -> io::Result<Self> {
        let socket = super::watched::watched_datagram(kept.socket.into())?;
        Ok(Self { socket, owner: owner.map(|owner| owner.0) })
    }

    /// Waits for the next message of somebody who may speak, and gives its length.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let ours = nix::unistd::geteuid().as_raw();
        loop {
            let mut ready = self.socket.readable().await?;
            let Ok(Ok((length, sender))) = ready.try_io(|socket| receive(socket.get_ref(), buffer)) else { continue };
            if sender.is_none_or(|uid| uid == 0 || uid == ours || Some(uid) == self.owner) {
                return Ok(length);
            }
        }
    }
}

impl std::os::fd::AsFd for NotifySocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.get_ref().as_fd()
    }
}

/// The manager above: `NOTIFY_SOCKET` as it gave it to us.
#[derive(Debug)]
pub struct Above {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Above {
    /// None: there is none, or it does not want to hear.
    #[must_use]
    pub fn find() -> Option<Self> {
        let path = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty())?;
        Some(Self { socket: UnixDatagram::unbound().ok()?, path: path.into() })
    }

    /// It also hears what services say of themselves.
    #[must_use]
    pub const fn hears_services(&self) -> bool {
        true
    }

    /// It waits before the next start, which the manager is told in words.
    pub const fn retries(&self) {}

    /// Says something in the words of `sd_notify`.
    pub fn send(&self, message: &str) {
        use std::os::unix::ffi::OsStrExt;
        let bytes = self.path.as_os_str().as_bytes();
        // A manager that does not listen is no reason to stop.
        if let Some(name) = bytes.strip_prefix(b"@") {
            #[cfg(target_os = "linux")]
            if let Ok(address) =
                <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
            {
                let _ = self.socket.send_to_addr(message.as_bytes(), &address);
            }
            #[cfg(not(target_os = "linux"))]
            let _ = name;
        } else {
            let _ = self.socket.send_to(message.as_bytes(), &self.path);
        }
    }
}
