//! What a supervisor and its keeper say to each other: sixteen bytes, and a descriptor that goes with them.
//!
//! Nothing here allocates: the keeper is forked from a process that may have threads.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A message's length.
pub(super) const LENGTH: usize = 16;

/// What is said. The numbers stay: a keeper may be older than the supervisor that finds it.
pub(super) mod word {
    /// To the keeper: hold this end of a pipe, in place of what it has by that key.
    pub(crate) const HOLD_PIPE: u32 = 1;
    /// The same of a socket, which the next supervisor wants back.
    pub(crate) const HOLD_SOCKET: u32 = 2;
    /// What it has by that key is needed no more.
    pub(crate) const FORGET: u32 = 3;
    /// A new supervisor: give me the sockets.
    pub(crate) const GIVE: u32 = 4;
    /// End.
    pub(crate) const END: u32 = 5;
    /// To the supervisor: a socket.
    pub(crate) const SOCKET: u32 = 6;
    /// What came to the last socket while nobody else read it: so many bytes, which follow.
    pub(crate) const SAID: u32 = 7;
    /// That is all; the key is the keeper's process id.
    pub(crate) const ALL: u32 = 8;
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) word: u32,
    pub(super) length: u32,
    pub(super) key: u64,
}

impl Message {
    pub(super) const fn new(word: u32, key: u64) -> Self {
        Self { word, length: 0, key }
    }

    pub(super) fn bytes(self) -> [u8; LENGTH] {
        let number = u128::from(self.word) | u128::from(self.length) << 32 | u128::from(self.key) << 64;
        number.to_le_bytes()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the parts of a number")]
    pub(super) const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        let number = u128::from_le_bytes(bytes);
        Self { word: number as u32, length: (number >> 32) as u32, key: (number >> 64) as u64 }
    }
}

/// Room for the header of a control message and one descriptor, on every system.
#[repr(C, align(8))]
struct Control([u8; 64]);

const ONE: u32 = RawFd::BITS / u8::BITS;

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
const SENDING: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
const SENDING: i32 = 0;

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
const TAKING: i32 = libc::MSG_CMSG_CLOEXEC;
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
const TAKING: i32 = 0;

/// The type of such a length differs by system.
fn length_of<T: TryFrom<u32> + Default>(length: u32) -> T {
    T::try_from(length).unwrap_or_default()
}

/// Sends bytes, and a descriptor with them. So few are taken as a whole or not at all.
pub(super) fn send(socket: RawFd, bytes: &[u8], file: Option<RawFd>) -> io::Result<()> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 64]);
    // SAFETY: all zeros are a valid msghdr, without parts.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    if let Some(file) = file {
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: the macros compute with numbers, and with the place that was just set: it is aligned, ours, and has room
        // for a control message with one descriptor.
        unsafe {
            header.msg_controllen = length_of(libc::CMSG_SPACE(ONE));
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = length_of(libc::CMSG_LEN(ONE));
            libc::CMSG_DATA(first).cast::<RawFd>().write_unaligned(file);
        }
    }
    // SAFETY: the header and what it points to live until the call returns; the kernel only reads them.
    let sent = unsafe { libc::sendmsg(socket, &raw const header, SENDING) };
    match usize::try_from(sent) {
        Ok(sent) if sent == bytes.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Takes bytes that came at once, and the descriptor that came with them, if any. 0: there is no more.
pub(super) fn receive(socket: RawFd, bytes: &mut [u8], flags: i32) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 64]);
    // SAFETY: as in `send`.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    header.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: it computes with a number. There is room for one descriptor: the kernel closes what is more.
    header.msg_controllen = length_of(unsafe { libc::CMSG_LEN(ONE) });
    // SAFETY: the header and what it points to live until the call returns, and are ours to be written to.
    let count = unsafe { libc::recvmsg(socket, &raw mut header, flags | TAKING) };
    let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has set the length of what is there, and each descriptor in it is new and nobody else's.
    let file = unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        let is_file = !first.is_null()
            && (*first).cmsg_level == libc::SOL_SOCKET
            && (*first).cmsg_type == libc::SCM_RIGHTS
            && (*first).cmsg_len >= length_of(libc::CMSG_LEN(ONE));
        is_file.then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(first).cast::<RawFd>().read_unaligned()))
    };
    if TAKING == 0
        && let Some(file) = &file
    {
        // SAFETY: sets a flag of an open descriptor of ours.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok((count, file))
}

/// Who is at the other end: a user id.
#[cfg(target_os = "linux")]
pub(super) fn peer(socket: impl std::os::fd::AsFd) -> io::Result<u32> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    Ok(getsockopt(&socket, PeerCredentials)?.uid())
}

/// Who is at the other end: a user id.
#[cfg(not(target_os = "linux"))]
pub(super) fn peer(socket: impl std::os::fd::AsFd) -> io::Result<u32> {
    Ok(nix::unistd::getpeereid(socket)?.0.as_raw())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_message_goes_through_with_its_descriptor() {
        let (one, other) = UnixStream::pair().expect("sockets");
        let (mut read, write) = std::io::pipe().expect("a pipe");
        let said = Message { word: word::HOLD_SOCKET, length: 7, key: u64::MAX - 5 };
        send(one.as_raw_fd(), &said.bytes(), Some(write.as_raw_fd())).expect("sent");
        send(one.as_raw_fd(), &Message::new(word::ALL, 3).bytes(), None).expect("sent");
        drop(write);
        let mut bytes = [0; LENGTH];
        let (count, file) = receive(other.as_raw_fd(), &mut bytes, 0).expect("a message");
        assert_eq!((count, Message::from_bytes(bytes)), (LENGTH, said));
        std::fs::File::from(file.expect("a descriptor")).write_all(b"here").expect("a pipe");
        let mut text = String::new();
        read.read_to_string(&mut text).expect("an end");
        assert_eq!(text, "here");
        let (count, file) = receive(other.as_raw_fd(), &mut bytes, 0).expect("a message");
        assert!(count == LENGTH && file.is_none() && Message::from_bytes(bytes) == Message::new(word::ALL, 3));
        drop(one);
        assert_eq!(receive(other.as_raw_fd(), &mut bytes, 0).expect("an end").0, 0);
        assert_eq!(peer(&other).expect("a peer"), nix::unistd::geteuid().as_raw());
    }
}
