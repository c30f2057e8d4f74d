//! The mechanisms where there are no signals (Windows). What has no meaning there is `Unsupported`.

use std::io::{Error, ErrorKind, Result, Stdout};
use std::process::Command;
use std::time::{Duration, Instant};

fn unsupported<T>(what: &str) -> Result<T> {
    let text = format!("`{what}` is not there on this platform");
    Err(Error::new(ErrorKind::Unsupported, text))
}

pub(crate) struct Signals;

impl Signals {
    pub(crate) fn on(names: &[&str]) -> Result<Self> {
        match names {
            ["TERM", "INT", ..] => Ok(Self), // never delivered: the process is ended from outside
            names => unsupported(&names.join(" ")),
        }
    }

    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on Unix")]
    pub(crate) fn wait(&self, until: Option<Instant>) -> Result<Option<String>> {
        match until {
            None => pause(),
            Some(until) => std::thread::sleep(until.saturating_duration_since(Instant::now())),
        }
        Ok(None)
    }
}

pub(crate) fn ignore(name: &str) -> Result<()> {
    unsupported(name)
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

pub(crate) fn own_session(_: &mut Command) {}

pub(crate) fn stdout<T>(act: impl FnOnce(&mut Stdout) -> T) -> T {
    act(&mut std::io::stdout())
}

pub(crate) fn monotonic() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

pub(crate) fn notify(_: &str) -> Result<()> {
    unsupported("notify")
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
