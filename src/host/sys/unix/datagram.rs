//! The socket that services tell their readiness to (`sd_notify`), with the sender's identity where the kernel gives it.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Binds it, for ourselves and `owner`.
pub fn bind_datagram(path: &Path, owner: Option<(u32, u32)>) -> io::Result<UnixDatagram> {
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
pub fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<(usize, Option<u32>)> {
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
pub fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<(usize, Option<u32>)> {
    socket.recv(buffer).map(|length| (length, None))
}
