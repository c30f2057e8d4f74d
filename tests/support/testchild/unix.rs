//! The mechanisms on Unix: signals, identities, `NOTIFY_SOCKET`, sessions.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::{getegid, geteuid, getgid, getpgrp, getpid, getppid, getsid, getuid};
use std::fs::File;
use std::io::{Error, ErrorKind, PipeReader, Read as _, Result};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, IntoRawFd as _};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

fn signal(name: &str) -> Result<Signal> {
    format!("SIG{name}").parse().map_err(|_| Error::new(ErrorKind::InvalidInput, format!("no signal `{name}`")))
}

/// Where the handler writes the number of each signal: a signal becomes a byte that `poll` can wait for.
static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(number: libc::c_int) {
    let byte = u8::try_from(number).unwrap_or(0);
    // SAFETY: write(2) may be called in a handler, and `byte` outlives the call. A full pipe has bytes to wake the
    // reader already, so the result does not matter; errno is restored by nobody, and nobody here reads it late.
    unsafe { libc::write(PIPE.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
}

/// Signals that are caught from here on.
pub(crate) struct Signals(PipeReader);

impl Signals {
    /// Catches these.
    pub(crate) fn on(names: &[&str]) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        PIPE.store(writer.into_raw_fd(), Ordering::Relaxed);
        let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
        for name in names {
            // SAFETY: `note` does nothing but a write(2), and is a handler for as long as the process lives.
            unsafe { sigaction(signal(name)?, &action)? };
        }
        Ok(Self(reader))
    }

    /// The next signal's name; `None` when `until` has come.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Result<Option<String>> {
        loop {
            let timeout = match until {
                None => PollTimeout::NONE,
                Some(until) => {
                    // Rounded up: woken a little early, the caller would spin for the rest of the millisecond.
                    let left = until.saturating_duration_since(Instant::now());
                    PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
                }
            };
            match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    let mut byte = [0];
                    (&self.0).read_exact(&mut byte)?;
                    let signal = Signal::try_from(i32::from(byte[0]))?;
                    return Ok(Some(signal.as_str().trim_start_matches("SIG").to_owned()));
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

pub(crate) fn ignore(name: &str) -> Result<()> {
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { nix::sys::signal::signal(signal(name)?, SigHandler::SigIgn)? };
    Ok(())
}

pub(crate) fn die_by(name: &str) -> Result<()> {
    let signal = signal(name)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
        // SAFETY: the default action runs no code of ours. (std's runtime may have a handler for SIGSEGV.)
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl)? };
    }
    raise(signal)?;
    Ok(())
}

/// Waits until a signal kills.
pub(crate) fn pause() -> ! {
    loop {
        nix::unistd::pause();
    }
}

pub(crate) fn limit_life(seconds: u32) {
    if seconds > 0 {
        nix::unistd::alarm::set(seconds);
    }
}

pub(crate) fn own_session(command: &mut Command) {
    // SAFETY: setsid(2) is the only call between fork and exec, and may be made there.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
}

/// Standard output without std's line buffer.
pub(crate) fn stdout<T>(act: impl FnOnce(&mut File) -> T) -> T {
    // SAFETY: descriptor 1 is ours for as long as the process lives, and is not closed here.
    let mut file = ManuallyDrop::new(unsafe { File::from_raw_fd(std::io::stdout().as_raw_fd()) });
    act(&mut file)
}

pub(crate) fn monotonic() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Into::into)
}

pub(crate) fn notify(text: &str) -> Result<()> {
    let name =
        std::env::var("NOTIFY_SOCKET").map_err(|_| Error::new(ErrorKind::NotFound, "NOTIFY_SOCKET is not set"))?;
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(text.as_bytes(), &address).map(drop);
    }
    socket.send_to(text.as_bytes(), name).map(drop)
}

pub(crate) fn ids() -> Result<Vec<(String, String)>> {
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    nix::sys::stat::umask(mask);
    // nix has no getgroups for Apple's systems, whose list is the directory's and not the process's.
    #[cfg(target_vendor = "apple")]
    let groups = vec![getgid().as_raw()];
    #[cfg(not(target_vendor = "apple"))]
    let groups: Vec<_> = nix::unistd::getgroups()?.iter().map(|gid| gid.as_raw()).collect();
    let mut ids: Vec<(String, String)> = [
        ("pid", getpid().to_string()),
        ("ppid", getppid().to_string()),
        ("pgid", getpgrp().to_string()),
        ("sid", getsid(None)?.to_string()),
        ("uid", getuid().to_string()),
        ("euid", geteuid().to_string()),
        ("gid", getgid().to_string()),
        ("egid", getegid().to_string()),
        ("groups", format!("{groups:?}")),
        ("umask", format!("\"{:04o}\"", mask.bits())),
        ("nofile", getrlimit(Resource::RLIMIT_NOFILE)?.0.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if cfg!(target_os = "linux") {
        let status = std::fs::read_to_string("/proc/self/status")?;
        for (key, field) in [("cap_eff", "CapEff:"), ("no_new_privs", "NoNewPrivs:")] {
            if let Some(value) = status.lines().find_map(|line| line.strip_prefix(field)) {
                ids.push((key.to_owned(), format!("\"{}\"", value.trim())));
            }
        }
    }
    Ok(ids)
}

pub(crate) fn open_descriptors() -> Result<Vec<i32>> {
    let listed: Vec<i32> =
        std::fs::read_dir("/dev/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The listing's own descriptor is closed by now.
    // SAFETY: F_GETFD only asks, and a number that is not open is an error.
    let open = |fd: &i32| unsafe { libc::fcntl(*fd, libc::F_GETFD) } != -1;
    let mut fds: Vec<i32> = listed.into_iter().filter(open).collect();
    fds.sort_unstable();
    Ok(fds)
}

/// The names of the signals that are blocked and ignored. SIGPIPE is left out: Rust's runtime ignores it itself.
pub(crate) fn signal_state() -> Result<Vec<(&'static str, Vec<String>)>> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|_| Error::new(ErrorKind::Unsupported, "`signals` needs Linux's /proc"))?;
    let names = |field: &str| {
        let bits = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .and_then(|value| u64::from_str_radix(value.trim(), 16).ok())
            .unwrap_or(0);
        Signal::iterator()
            .filter(|signal| *signal != Signal::SIGPIPE && bits >> (*signal as i32 - 1) & 1 == 1)
            .map(|signal| signal.as_str().trim_start_matches("SIG").to_owned())
            .collect()
    };
    Ok(vec![("blocked", names("SigBlk:")), ("ignored", names("SigIgn:"))])
}
