//! Making a child: a session of its own, and nothing inherited but what is meant.
//!
//! `becomes` is what the child does to itself before it executes the program. On Linux `vfork` makes it, which costs
//! the same however much memory and however many files we have; elsewhere the standard library forks.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command};
use std::time::Duration;

use super::becomes::Becomes;
use crate::host::sys::launch::Launch;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
use crate::host::sys::launch::Output;

/// Runs the program, and returns its process id once the program was really loaded.
pub fn spawn(launch: Launch<'_>) -> io::Result<i32> {
    if launch.argv.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no program to run"));
    }
    let becomes = Becomes::of(&launch)?;
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    {
        // The child has its ends of the pipes by then; we let go of ours.
        let made = super::vfork::spawn(&launch, &becomes);
        drop(launch);
        made
    }
    #[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
    fork(launch, becomes)
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn fork(launch: Launch<'_>, becomes: Becomes) -> io::Result<i32> {
    use std::process::Stdio;
    let Some((program, args)) = launch.argv.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let stdio = |output| match output {
        Output::Null => Stdio::null(),
        Output::File(file) => file.into(),
        Output::Stdout | Output::Inherit => Stdio::inherit(),
    };
    let stderr = match (&launch.stdout, launch.stderr) {
        (Output::File(file), Output::Stdout) => Output::File(file.try_clone()?),
        (Output::Null, Output::Stdout) => Output::Null,
        (_, stderr) => stderr,
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(launch.env)
        .current_dir(&launch.dir)
        .stdin(launch.stdin.map_or_else(Stdio::null, Stdio::from))
        .stdout(stdio(launch.stdout))
        .stderr(stdio(stderr));
    // SAFETY: between fork and exec the closure makes system calls on data that was allocated before; it takes no
    // lock and allocates nothing.
    unsafe { command.pre_exec(move || becomes.apply()) };
    let child = command.spawn()?;
    i32::try_from(child.id()).map_err(io::Error::other)
}

/// Detaches a command that is about to be run from our terminal and session.
pub fn in_own_session(command: &mut Command) {
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from)) };
}

/// The first line of an output; None: it ended, or took too long.
pub fn first_line(out: ChildStdout, timeout: Duration) -> io::Result<Option<String>> {
    use std::io::BufRead;
    let fd: OwnedFd = out.into();
    let ready = {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd;
        let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX))?
    };
    if ready == 0 {
        return Ok(None);
    }
    let mut line = String::new();
    io::BufReader::new(File::from(fd)).read_line(&mut line)?;
    Ok(Some(line.trim_end().to_owned()))
}

/// Nobody reads our standard output any more: what would go there goes nowhere.
pub fn close_stdout() {
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(null);
    }
}
