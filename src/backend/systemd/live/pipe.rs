//! The socket of a message bus: bytes out; lines and messages in, each waited for under a deadline.
//!
//! What is sent is read by the other side whether we read or not, so it is written in one go; what comes may come in any
//! portions. See the D-Bus specification, "Message Protocol" and "Authentication Protocol".

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zbus::message::Message;
use zbus::wire::Endian;
use zbus::wire::serialized::{Context, Data};

use crate::error::{Error, IoContext, Result};

/// The part of a message that tells its length.
const START: usize = 16;

/// No message is longer.
const LONGEST: usize = 128 << 20;

/// An answer to a line of the handshake is shorter.
const LONGEST_LINE: usize = 16 << 10;

/// What is read at once, if no more is known to come.
const PORTION: usize = 8 << 10;

/// A connection.
pub(super) struct Pipe {
    stream: UnixStream,
    /// What came and was not taken yet.
    came: Vec<u8>,
}

impl Pipe {
    /// Connects to a socket; what it does not take for so long is not sent.
    pub(super) fn connect(socket: &Path, patience: Duration) -> Result<Self> {
        let stream = UnixStream::connect(socket).and_then(|stream| {
            stream.set_write_timeout(Some(patience))?;
            Ok(stream)
        });
        let stream = stream.doing(format_args!("connect to the message bus at `{}`", socket.display()))?;
        Ok(Self { stream, came: Vec::new() })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).map_err(|error| broken(&error))
    }

    /// The next line, without its end; None: it did not come by then.
    pub(super) fn line(&mut self, until: Instant) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.came.windows(2).position(|two| two == b"\r\n") {
                let line = self.came.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map(Some).map_err(|error| broken(&error));
            }
            if self.came.len() > LONGEST_LINE {
                return Err(broken("a line does not end"));
            }
            if !self.more(PORTION, until)? {
                return Ok(None);
            }
        }
    }

    /// The next message; None: it did not come by then.
    pub(super) fn message(&mut self, until: Instant) -> Result<Option<Message>> {
        loop {
            let length = length(&self.came)?;
            if let Some((length, endian)) = length.filter(|(length, _)| *length <= self.came.len()) {
                let bytes: Vec<u8> = self.came.drain(..length).collect();
                let bytes = Data::new(bytes, Context::new(endian, 0));
                // SAFETY: this checks the header, and a body is checked when it is read; zbus takes what it reads from a
                // socket itself, whoever sent it, in the same way.
                let message = unsafe { Message::from_bytes(bytes) };
                return message.map(Some).map_err(|error| broken(&error));
            }
            let missing = length.map_or(0, |(length, _)| length - self.came.len());
            if !self.more(missing.max(PORTION), until)? {
                return Ok(None);
            }
        }
    }

    /// Waits for bytes, and takes up to so many; false: none came by then.
    fn more(&mut self, room: usize, until: Instant) -> Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // Rounded up: what is waited for is not asked for again and again in the last of its milliseconds.
            let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) if left.is_zero() => return Ok(false),
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => break,
                Err(error) => return Err(broken(error)),
            }
        }
        let had = self.came.len();
        self.came.resize(had + room, 0);
        let read = loop {
            match self.stream.read(&mut self.came[had..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.came.truncate(had + read.as_ref().map_or(0, |read| *read));
        match read {
            Ok(0) => Err(Error::failed("the message bus closed the connection")),
            Ok(_) => Ok(true),
            Err(error) => Err(broken(&error)),
        }
    }
}

/// How long the message is that these bytes begin, and the order of the bytes in its numbers; None: that can't be told yet.
fn length(bytes: &[u8]) -> Result<Option<(usize, Endian)>> {
    let Some(start) = bytes.first_chunk::<START>() else { return Ok(None) };
    let (endian, number): (_, fn([u8; 4]) -> u32) = match start[0] {
        b'l' => (Endian::Little, u32::from_le_bytes),
        b'B' => (Endian::Big, u32::from_be_bytes),
        _ => return Err(broken("what came is no message")),
    };
    let at = |at: usize| number([start[at], start[at + 1], start[at + 2], start[at + 3]]) as usize;
    let length = at(12).checked_next_multiple_of(8).and_then(|fields| fields.checked_add(START)?.checked_add(at(4)));
    match length.filter(|length| *length <= LONGEST) {
        Some(length) => Ok(Some((length, endian))),
        None => Err(broken("a message is longer than any may be")),
    }
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::failed(format!("the connection to the message bus broke: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Pipe, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (Pipe { stream: near, came: Vec::new() }, far)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn lines_and_messages_come_in_any_portions() {
        let call = |member: &str, body: &str| Message::method_call("/there", member.to_owned()).build(&body).unwrap();
        let long = "x".repeat(3 * PORTION);
        let mut bytes = b"OK 1234\r\n".to_vec();
        for message in [call("One", "1"), call("Two", &long), call("Three", "3")] {
            bytes.extend_from_slice(message.data());
        }
        for portion in [1000, bytes.len(), 1] {
            let (mut pipe, mut far) = pair();
            let sent = bytes.clone();
            let sender = std::thread::spawn(move || {
                for portion in sent.chunks(portion) {
                    far.write_all(portion).unwrap();
                }
            });
            assert_eq!(pipe.line(soon()).unwrap().unwrap(), "OK 1234");
            for (member, text) in [("One", "1"), ("Two", &long), ("Three", "3")] {
                let message = pipe.message(soon()).unwrap().unwrap();
                assert_eq!(message.header().member().unwrap().as_str(), member);
                assert_eq!(message.body().deserialize::<String>().unwrap(), text);
            }
            sender.join().unwrap();
            assert!(pipe.message(soon()).is_err_and(|error| error.to_string().contains("closed")));
        }
    }

    #[test]
    fn nothing_comes_in_time_and_nonsense_is_refused() {
        let (mut pipe, mut far) = pair();
        assert!(pipe.message(Instant::now()).unwrap().is_none());
        assert!(pipe.line(Instant::now() + Duration::from_millis(1)).unwrap().is_none());
        far.write_all(b"HTTP/1.1 400 Bad Request").unwrap();
        assert!(pipe.message(soon()).is_err());
        assert!(length(b"l\x02\x01\x01\xff\xff\xff\xff\x01\x00\x00\x00\xff\xff\xff\xff").is_err());
        let big = length(b"B\x02\x00\x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00\x09").unwrap();
        assert_eq!(big, Some((16 + 16 + 3, Endian::Big)));
    }
}
