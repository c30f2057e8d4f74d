//! Commands that the engine runs for a service: hooks, probes, stop and reload commands. They are children like the
//! services, reaped by the same loop, and killed with their group when nobody waits for them any more.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::host::machine::Ended;
use crate::host::sys::{self, Account, ChildEnd, Launch, Output, Sandbox};
use crate::host::words;
use crate::service::{Priority, Signal, StopSignal};

/// The commands that run.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands(Rc<RefCell<HashMap<i32, oneshot::Sender<Ended>>>>);

/// What a command is run with: what its service is run with.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) env: Vec<(String, String)>,
    pub(super) dir: PathBuf,
    pub(super) umask: Option<u32>,
    pub(super) account: Account,
    /// What they are shut into with it.
    pub(super) sandbox: Option<Rc<Sandbox>>,
    /// Where its output goes: into the service's log.
    pub(super) output: Option<ChildEnd>,
}

/// A command that is not run as all others are.
pub(super) struct Command<'a> {
    pub(super) argv: &'a [String],
    pub(super) stdin: Option<std::fs::File>,
    pub(super) priority: Option<Priority>,
}

/// Kills what nobody waits for.
struct Running {
    pid: i32,
    commands: Commands,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.commands.0.borrow_mut().remove(&self.pid).is_some() {
            sys::kill_command(self.pid);
        }
    }
}

impl Commands {
    /// A child that is nobody's main process has ended.
    pub(super) fn ended(&self, pid: i32, ended: Ended) {
        let sender = self.0.borrow_mut().remove(&pid);
        if let Some(sender) = sender {
            let _ = sender.send(ended);
        }
    }

    /// Whether this child is such a command.
    pub(super) fn knows(&self, pid: i32) -> bool {
        self.0.borrow().contains_key(&pid)
    }

    /// Runs a command to its end. An error says what became of it.
    pub(super) async fn run(&self, argv: &[String], setting: &Setting, timeout: Duration) -> Result<(), String> {
        self.run_with(argv, setting, timeout, None).await
    }

    /// The same, with something on its standard input: less than a pipe holds (4 KiB on every system).
    pub(super) async fn run_with(
        &self,
        argv: &[String],
        setting: &Setting,
        timeout: Duration,
        input: Option<&[u8]>,
    ) -> Result<(), String> {
        let stdin = input.and_then(|input| sys::holding(input).ok());
        self.run_command(Command { argv, stdin, priority: None }, setting, timeout).await
    }

    /// The same with a file on its standard input, and with its priority.
    pub(super) async fn run_command(
        &self,
        Command { argv, stdin, priority }: Command<'_>,
        setting: &Setting,
        timeout: Duration,
    ) -> Result<(), String> {
        let program = argv.first().map_or("", String::as_str);
        let open = |end: &ChildEnd| end.open().map_or(Output::Null, Output::File);
        let output = || setting.output.as_ref().map_or(Output::Inherit, open);
        let launch = Launch {
            argv,
            env: setting.env.clone(),
            dir: setting.dir.clone(),
            umask: setting.umask,
            account: &setting.account,
            group: None,
            mark: "",
            sandbox: setting.sandbox.as_deref(),
            open_files: None,
            stop: StopSignal::Signal(Signal::Term),
            priority,
            stdin,
            stdout: output(),
            stderr: output(),
        };
        let pid = sys::spawn(launch).map_err(|error| format!("`{program}` could not be run: {error}"))?;
        let (sender, ended) = oneshot::channel();
        self.0.borrow_mut().insert(pid, sender);
        let running = Running { pid, commands: self.clone() };
        let ended = tokio::time::timeout(timeout, ended).await;
        drop(running);
        match ended {
            Ok(Ok(Ended::Code(0))) => Ok(()),
            Ok(Ok(ended)) => Err(format!("`{program}` {}", words::ended(Some(&ended), None))),
            Ok(Err(_)) => Err(format!("`{program}` was abandoned")),
            Err(_) => Err(format!("`{program}` did not end within {} and was killed", words::duration(timeout))),
        }
    }
}
