//! Talking to a supervisor, and starting one where none runs. Blocking: for the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::control::{self, Answer, Ask, Request};
use super::entry::READY;
use super::sys::{self, Caller};
use crate::error::{Error, IoContext, Result};
use crate::layout::{Layout, Scope};
use crate::system::{files, machine};

/// How long a supervisor may take to answer requests after its start; it takes milliseconds.
const START: Duration = Duration::from_secs(30);

/// A connection for one request.
#[derive(Debug)]
pub struct Client {
    caller: Caller,
}

/// Whether a supervisor listens.
#[must_use]
pub fn is_running(layout: &Layout) -> bool {
    Caller::connect(&control::socket(layout)).is_ok()
}

/// Connects to the supervisor of the scope; None: none runs.
pub fn connect(layout: &Layout) -> Result<Option<Client>> {
    use std::io::ErrorKind;
    let path = control::socket(layout);
    match Caller::connect(&path) {
        Ok(caller) => Ok(Some(Client { caller })),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error).doing(format_args!("talk to the supervisor at `{}`", path.display())),
    }
}

/// Ends the supervisor of the scope with all its services. False: none runs.
pub fn shut_down(layout: &Layout) -> Result<bool> {
    let Some(mut client) = connect(layout)? else { return Ok(false) };
    client.send(Ask::Shutdown { stop: true })?;
    let mut refused = None;
    client.answers(
        || None,
        |answer| {
            if let Some(Answer::Refused(trouble)) = answer {
                refused = Some(trouble);
                return Ok(false);
            }
            Ok(true)
        },
    )?;
    refused.map_or(Ok(true), |trouble| Err(trouble.into()))
}

/// Which build of daemonctl the supervisor of the scope is; None: none runs.
pub fn build(layout: &Layout) -> Result<Option<String>> {
    let Some(mut client) = connect(layout)? else { return Ok(None) };
    client.send(Ask::Hello)?;
    let mut found = None;
    client.answers(
        || Some(START),
        |answer| match answer {
            Some(Answer::Hello { build, .. }) => {
                found = Some(build);
                Ok(true)
            }
            Some(_) => Ok(true),
            None => Err(Error::timed_out("the supervisor does not answer")),
        },
    )?;
    Ok(found)
}

/// Has the supervisor of the scope become `program` in place, and returns when that answers. False: none runs.
pub fn reexec(layout: &Layout, program: &Path) -> Result<bool> {
    let Some(mut client) = connect(layout)? else { return Ok(false) };
    client.send(Ask::Reexec { program: program.display().to_string() })?;
    let mut refused = None;
    client.answers(
        || Some(START),
        |answer| match answer {
            Some(Answer::Refused(trouble)) => {
                refused = Some(trouble);
                Ok(false)
            }
            Some(_) => Ok(true),
            None => Err(Error::timed_out("the supervisor does not become another program")),
        },
    )?;
    if let Some(trouble) = refused {
        return Err(trouble.into());
    }
    build(layout).map(|build| build.is_some())
}

/// Has a supervisor of another build become `program`, the copy of ours. One that is too old to do that goes on.
pub fn renew(layout: &Layout, program: &Path) -> Result<()> {
    if build(layout)?.is_some_and(|build| build != env!("DAEMONCTL_BUILD")) {
        let _ = reexec(layout, program);
    }
    Ok(())
}

/// How often it is tried to start a supervisor while another one is just ending.
const TRIES: u32 = 3;

/// Starts a supervisor where none runs, detached from us, and returns when it answers.
pub fn ensure(layout: &Layout, binary: &Path) -> Result<()> {
    for _ in 0..TRIES {
        if is_running(layout) || start(layout, binary)? {
            return Ok(());
        }
    }
    let log = log_of(layout);
    let last = std::fs::read_to_string(&log).unwrap_or_default();
    let mut error = Error::failed("the supervisor did not start").hint(format!("its own log is `{}`", log.display()));
    for line in last.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev() {
        error = error.detail(line);
    }
    Err(error)
}

fn log_of(layout: &Layout) -> PathBuf {
    layout.logs.join("supervisor.log")
}

/// False: it did not come up, and no other one did either.
fn start(layout: &Layout, binary: &Path) -> Result<bool> {
    machine::make_state_folders(layout)?;
    machine::make_runtime_folder(layout)?;
    files::make_folders(&layout.logs, 0o750)?;
    let log = log_of(layout);
    let errors = sys::open_journal(&log, 0o640).doing(format_args!("open `{}`", log.display()))?;
    let scope = match layout.scope {
        Scope::System => "--system",
        Scope::User => "--user",
    };
    let mut command = Command::new(binary);
    command
        .args(["supervise", "--on-demand", scope])
        .current_dir(sys::neutral_folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors);
    sys::in_own_session(&mut command);
    let mut child = command.spawn().doing(format_args!("start the supervisor `{}`", binary.display()))?;
    let said = child
        .stdout
        .take()
        .map(|out| sys::first_line(out, START))
        .transpose()
        .doing("hear from the supervisor")?
        .flatten();
    // Another command may have started one at the same time: then ours found the lock held, and that is as good. Or
    // another one was just ending.
    Ok(said.as_deref() == Some(READY) || wait_for_socket(layout, &mut child))
}

/// After ours ended without a word: is there another, which is just about to listen?
fn wait_for_socket(layout: &Layout, child: &mut std::process::Child) -> bool {
    let _ = child.wait();
    let lock = super::intent::lock(layout);
    let until = std::time::Instant::now() + Duration::from_secs(5);
    let mut pause = Duration::from_millis(1);
    while std::time::Instant::now() < until {
        if is_running(layout) {
            return true;
        }
        if sys::hold_lock(&lock).is_ok_and(|held| held.is_some()) {
            return false;
        }
        // Either of two things may come, the socket or the end of who holds the lock, and no event is about both.
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    false
}

impl Client {
    /// Sends the request.
    pub fn send(&mut self, ask: Ask) -> Result<()> {
        let request = Request { version: control::VERSION, ask };
        let mut line = serde_json::to_vec(&request).map_err(|error| Error::failed(format!("cannot ask: {error}")))?;
        line.push(b'\n');
        self.caller.send(&line).doing("ask the supervisor")
    }

    /// Gives each line of the answer to `take` until it says so or the answer ends. `timeout` is called before each
    /// wait and says how long that may take; when it has passed, `take` gets None.
    pub fn answers(
        mut self,
        mut timeout: impl FnMut() -> Option<Duration>,
        mut take: impl FnMut(Option<Answer>) -> Result<bool>,
    ) -> Result<()> {
        let mut line = Vec::new();
        loop {
            let wait = timeout().map(|time| time.max(Duration::from_millis(1)));
            match self.caller.line(&mut line, wait) {
                Ok(0) => {
                    return Err(Error::failed("the supervisor ended before it answered")
                        .hint("its services live on; run the command again, and another takes them over"));
                }
                Ok(_) => {
                    let answer = serde_json::from_slice(&line).map_err(|error| {
                        Error::failed(format!("the supervisor's answer is not understood: {error}"))
                    })?;
                    line.clear();
                    let done = answer == Answer::Done;
                    if !take(Some(answer))? || done {
                        return Ok(());
                    }
                }
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    if !take(None)? {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                    if !take(None)? {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error).doing("listen to the supervisor"),
            }
        }
    }
}
