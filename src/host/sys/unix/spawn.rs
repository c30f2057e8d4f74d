//! Making a child: a session of its own, and nothing inherited but what is meant.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use super::account::Account;
use super::cgroup::Group;
use super::sandbox::Sandbox;
use crate::service::{Priority, StopSignal};

/// Where a child's output goes.
#[derive(Debug)]
pub enum Output {
    /// Nowhere.
    Null,
    /// To this file or pipe.
    File(File),
    /// Where ours goes.
    Inherit,
}

impl Output {
    fn stdio(self) -> Stdio {
        match self {
            Self::Null => Stdio::null(),
            Self::File(file) => file.into(),
            Self::Inherit => Stdio::inherit(),
        }
    }
}

/// A child to be made.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Program and arguments.
    pub argv: &'a [String],
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub dir: PathBuf,
    /// Permission bits that its files lose.
    pub umask: Option<u32>,
    /// Who it runs as.
    pub account: &'a Account,
    /// The group with its limits that it joins.
    pub group: Option<&'a Group>,
    /// What it is shut into.
    pub sandbox: Option<&'a Sandbox>,
    /// Most open files.
    pub open_files: Option<u64>,
    /// How it will be asked to end.
    pub stop: StopSignal,
    /// How it is scheduled.
    pub priority: Option<Priority>,
    /// Standard input; None: it is empty.
    pub stdin: Option<File>,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
}

/// Runs the program, and returns its process id once the program was really loaded.
pub fn spawn(launch: Launch<'_>) -> io::Result<i32> {
    let Some((program, args)) = launch.argv.split_first() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no program to run"));
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(launch.env)
        .current_dir(&launch.dir)
        .stdin(launch.stdin.map_or_else(Stdio::null, Stdio::from))
        .stdout(launch.stdout.stdio())
        .stderr(launch.stderr.stdio());
    #[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion, reason = "not 32 bits everywhere")]
    let umask = launch.umask.map(libc::mode_t::try_from).transpose().map_err(io::Error::other)?;
    let becomes = Becomes {
        join: launch.group.map(Group::entrances).transpose()?.unwrap_or_default(),
        umask,
        ids: launch.account.groups.as_ref().map(|groups| (launch.account.uid, launch.account.gid, groups.clone())),
        gid: launch.account.gid,
        open_files: launch.open_files,
        nice: launch.priority.map(nice),
        sandbox: launch.sandbox.cloned(),
        dir: CString::new(launch.dir.as_os_str().as_bytes())?,
    };
    // SAFETY: between fork and exec the closure makes system calls on data that was allocated before; it takes no
    // lock and allocates nothing.
    unsafe { command.pre_exec(move || becomes.apply()) };
    let child = command.spawn()?;
    i32::try_from(child.id()).map_err(io::Error::other)
}

const fn nice(priority: Priority) -> i32 {
    match priority {
        Priority::Idle => 19,
        Priority::Low => 10,
        Priority::Normal => 0,
        Priority::High => -10,
    }
}

struct Becomes {
    join: Vec<File>,
    umask: Option<libc::mode_t>,
    ids: Option<(u32, u32, Vec<u32>)>,
    gid: u32,
    open_files: Option<u64>,
    nice: Option<i32>,
    sandbox: Option<Sandbox>,
    dir: CString,
}

impl Becomes {
    #[allow(clippy::useless_conversion, reason = "these numbers have other types on other systems")]
    fn apply(&self) -> io::Result<()> {
        // Signals that whoever started the supervisor had ignored (nohup) are not ignored in the service.
        for signal in 1..=31 {
            // SAFETY: signal(2) with SIG_DFL; the numbers that can't be set answer EINVAL.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        nix::unistd::setsid()?;
        for group in &self.join {
            // `0` is whoever writes it.
            nix::unistd::write(group, b"0")?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: setpriority(2) takes numbers only.
            check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })?;
        }
        if let Some(files) = self.open_files {
            // Hard limits go up for root only; soft ones up to the hard one for anybody.
            let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)?;
            #[allow(clippy::unnecessary_fallible_conversions, reason = "it is signed on FreeBSD")]
            let wanted = files.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
            let root = nix::unistd::geteuid().is_root();
            let hard = if root || wanted <= hard { wanted } else { hard };
            nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, wanted, hard)?;
        }
        if let Some(umask) = self.umask {
            // SAFETY: umask(2) cannot fail.
            unsafe { libc::umask(umask) };
        }
        if let Some(sandbox) = &self.sandbox {
            sandbox.apply_first(&self.dir)?;
        }
        if let Some((uid, gid, groups)) = &self.ids {
            let count = groups.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
            // SAFETY: the pointer and the count are those of one living slice of group ids.
            check(unsafe { libc::setgroups(count, groups.as_ptr().cast()) })?;
            nix::unistd::setgid((*gid).into())?;
            nix::unistd::setuid((*uid).into())?;
        } else if self.gid != nix::unistd::getegid().as_raw() {
            nix::unistd::setgid(self.gid.into())?;
        }
        self.sandbox.as_ref().map_or(Ok(()), Sandbox::apply_last)
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
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
