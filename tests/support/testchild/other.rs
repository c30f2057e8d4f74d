//! The mechanisms of Windows: keys of a console in place of signals. What has no meaning there is `Unsupported`.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result, Stdout, Write as _};
use std::os::windows::process::CommandExt as _;
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};
use windows_sys::core::BOOL;

fn unsupported<T>(what: &str) -> Result<T> {
    let text = format!("`{what}` is not there on this platform");
    Err(Error::new(ErrorKind::Unsupported, text))
}

/// Keys that were pressed and not taken yet.
static PRESSED: Mutex<VecDeque<u32>> = Mutex::new(VecDeque::new());
static NEWS: Condvar = Condvar::new();

unsafe extern "system" fn pressed(event: u32) -> BOOL {
    PRESSED.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    NEWS.notify_all();
    1
}

fn listen() -> Result<()> {
    // SAFETY: the handler takes a lock that is held for moments only, in a thread of its own.
    if unsafe { SetConsoleCtrlHandler(Some(pressed), 1) } == 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Ctrl-C is INT, Ctrl-Break is TERM; the others never come.
pub(crate) struct Signals;

impl Signals {
    pub(crate) fn on(names: &[&str]) -> Result<Self> {
        if !names.iter().any(|name| matches!(*name, "TERM" | "INT")) {
            return unsupported(&names.join(" "));
        }
        listen().map(|()| Self)
    }

    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(crate) fn wait(&self, until: Option<Instant>) -> Result<Option<String>> {
        let mut keys = PRESSED.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match keys.pop_front() {
                Some(CTRL_C_EVENT) => return Ok(Some("INT".to_owned())),
                Some(CTRL_BREAK_EVENT) => return Ok(Some("TERM".to_owned())),
                Some(_) => {}
                None => {
                    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                    if left.is_some_and(|left| left.is_zero()) {
                        return Ok(None);
                    }
                    let wait = left.unwrap_or(Duration::from_secs(3600));
                    keys = NEWS.wait_timeout(keys, wait).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}

/// Of all keys; the names are those of Unix.
pub(crate) fn ignore(_: &str) -> Result<()> {
    listen()
}

pub(crate) fn die_by(name: &str) -> Result<()> {
    match name {
        "ABRT" => std::process::abort(),
        name => unsupported(name),
    }
}

pub(crate) fn pause() -> ! {
    loop {
        std::thread::park();
    }
}

pub(crate) fn limit_life(seconds: u32) {
    if seconds > 0 {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds.into()));
            std::process::exit(142)
        });
    }
}

pub(crate) fn own_session(command: &mut Command) {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

pub(crate) fn stdout<T>(act: impl FnOnce(&mut Stdout) -> T) -> T {
    let mut stdout = std::io::stdout();
    let done = act(&mut stdout);
    // What fails now fails at the next write again.
    let _ = stdout.flush();
    done
}

pub(crate) fn monotonic() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

/// By the pipe that `NOTIFY_SOCKET` names.
pub(crate) fn notify(text: &str) -> Result<()> {
    let pipe = std::env::var_os("NOTIFY_SOCKET").ok_or_else(|| Error::other("NOTIFY_SOCKET is not set"))?;
    std::fs::OpenOptions::new().write(true).open(pipe)?.write_all(text.as_bytes())
}

#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
pub(crate) fn ids() -> Result<Vec<(String, String)>> {
    Ok(vec![("pid".to_owned(), std::process::id().to_string())])
}

pub(crate) fn open_descriptors() -> Result<Vec<i32>> {
    unsupported("fds")
}

pub(crate) fn signal_state() -> Result<Vec<(&'static str, Vec<String>)>> {
    unsupported("signals")
}
