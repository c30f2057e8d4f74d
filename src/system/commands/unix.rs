//! One loop over the pipes and the end of the process.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{Ended, MAX_OUTPUT};

/// Runs the command; None: it took too long and was killed.
pub(super) fn run(command: &mut Command, stdin: Vec<u8>, until: Instant) -> io::Result<Option<Ended>> {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.spawn()?;
    let talked = Pipes::of(&mut child, stdin).and_then(|pipes| talk(&child, pipes, until));
    if !matches!(talked, Ok(Some(_))) {
        // Not reaped yet, so the number is still the group's.
        let _ = i32::try_from(child.id()).map(|pid| killpg(Pid::from_raw(pid), Signal::SIGKILL));
    }
    let status = child.wait()?;
    let Some([stdout, stderr]) = talked? else { return Ok(None) };
    Ok(Some(Ended { code: status.code(), signal: status.signal(), stdout, stderr }))
}

/// Feeds and reads until the process has ended, and gives what it wrote; None: the time came first.
fn talk(child: &Child, mut pipes: Pipes, until: Instant) -> io::Result<Option<[Vec<u8>; 2]>> {
    let exit = exit_of(child)?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        // Rounded up, or the last millisecond would be spent spinning.
        let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        let mut fds = vec![PollFd::new(exit.as_fd(), PollFlags::POLLIN)];
        fds.extend(pipes.input.as_ref().map(|(pipe, _)| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        fds.extend(pipes.outputs.iter().flatten().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, left) {
            Err(Errno::EINTR) => continue,
            polled => polled?,
        };
        // Looked at before reading: what the process wrote, it wrote before it ended.
        let ended = fds[0].any() == Some(true);
        pipes.feed()?;
        pipes.read()?;
        if ended {
            return Ok(Some(pipes.read));
        }
    }
}

/// Reaches its end when the process ends; the process is not reaped by it, so its number stays its own.
#[allow(clippy::useless_conversion, reason = "`id_t` has 64 bits on some systems")]
fn exit_of(child: &Child) -> io::Result<PipeReader> {
    let id = libc::id_t::from(child.id());
    let (reader, writer) = io::pipe()?;
    std::thread::spawn(move || {
        loop {
            // SAFETY: all zeroes is a siginfo_t, which is plain data.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            // SAFETY: `info` is valid for writing.
            let waited = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOWAIT) };
            if waited == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                break;
            }
        }
        drop(writer);
    });
    Ok(reader)
}

/// Our ends of the pipes, none of which blocks. One that is done is None.
struct Pipes {
    input: Option<(File, io::Cursor<Vec<u8>>)>,
    outputs: [Option<File>; 2],
    read: [Vec<u8>; 2],
}

impl Pipes {
    fn of(child: &mut Child, stdin: Vec<u8>) -> io::Result<Self> {
        let input = child.stdin.take().map(|pipe| Ok::<_, io::Error>((unblocked(pipe)?, io::Cursor::new(stdin))));
        let outputs =
            [child.stdout.take().map(unblocked).transpose()?, child.stderr.take().map(unblocked).transpose()?];
        Ok(Self { input: input.transpose()?, outputs, read: [Vec::new(), Vec::new()] })
    }

    /// Gives it what it takes now.
    fn feed(&mut self) -> io::Result<()> {
        let Some((pipe, bytes)) = &mut self.input else { return Ok(()) };
        loop {
            let start = usize::try_from(bytes.position()).unwrap_or(usize::MAX);
            let left = bytes.get_ref().get(start..).unwrap_or_default();
            match pipe.write(left) {
                // Closed by taking it away: that is how the command sees the end.
                Ok(_) if left.is_empty() => self.input = None,
                Ok(written) => {
                    bytes.set_position(bytes.position() + written as u64);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // It does not want to read on, which is its good right.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.input = None,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// Takes what it has written by now.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        for (output, read) in self.outputs.iter_mut().zip(&mut self.read) {
            while let Some(pipe) = output {
                match pipe.read(&mut buffer) {
                    Ok(0) => *output = None,
                    Ok(count) => {
                        let room = MAX_OUTPUT.saturating_sub(read.len());
                        read.extend_from_slice(&buffer[..count.min(room)]);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn unblocked(pipe: impl Into<OwnedFd>) -> io::Result<File> {
    let pipe = pipe.into();
    let flags = OFlag::from_bits_retain(fcntl(&pipe, FcntlArg::F_GETFL)?);
    fcntl(&pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(pipe.into())
}
