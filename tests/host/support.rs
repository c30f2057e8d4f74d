//! A supervisor in a temporary folder, and what is asked of it.
#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daemonctl::host::client;
use daemonctl::host::control::{Answer, Ask, Trouble, Units};
use daemonctl::host::state::{Record, StateFile, path, read};
use daemonctl::host::sys;
use daemonctl::layout::{Layout, Scope};
use daemonctl::report::{Effect, State};
use daemonctl::service::{
    Compress, Hooks, HostMode, KillScope, Kind, Limits, LogFormat, Logs, Profile, Restart, RestartPolicy, Security,
    Service, Signal, Start, Stop, StopSignal, Thresholds,
};

/// The clock of a supervisor: what it is set by, and what it was set to last.
pub(crate) const CLOCK: &str = "clock";
pub(crate) const CLOCK_SHOWS: &str = "clock.shows";

/// That it ends when there is nothing left to supervise.
pub(crate) const ON_DEMAND: &str = "on-demand";

/// No state takes longer to come about.
const PATIENCE: Duration = Duration::from_secs(60);

/// No answer does, be it about a thousand units on a machine that has other things to do.
const ANSWERED: Duration = Duration::from_secs(180);

pub(crate) fn layout(folder: &Path) -> Layout {
    Layout {
        scope: Scope::User,
        root: None,
        state: folder.join("state"),
        runtime: folder.join("run"),
        logs: folder.join("logs"),
        config: folder.join("config"),
        binaries: folder.join("state/bin"),
    }
}

pub(crate) struct Supervisor {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) layout: Layout,
    child: Child,
}

impl Supervisor {
    pub(crate) fn start() -> Self {
        Self::start_in(|_| ())
    }

    /// One that sees the time that it is told by `set_clock`, in UTC.
    pub(crate) fn start_with_clock() -> Self {
        Self::start_in(|folder| {
            nix::unistd::mkfifo(&folder.join(CLOCK), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        })
    }

    /// One that ends when there is nothing left to supervise.
    pub(crate) fn start_on_demand() -> Self {
        Self::start_in(|folder| std::fs::write(folder.join(ON_DEMAND), "").expect("write"))
    }

    fn start_in(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("dctl").tempdir().expect("a folder");
        prepare(folder.path());
        let layout = layout(folder.path());
        let child = run(&layout, folder.path());
        Self { folder, layout, child }
    }

    /// From now on the clock is so many seconds ahead for it.
    pub(crate) fn set_clock(&self, seconds: i64) {
        let text = seconds.to_string();
        std::fs::write(self.file(CLOCK), format!("{text}\n")).expect("a supervisor that has a clock");
        let shown = self.file(CLOCK_SHOWS);
        until(|| std::fs::read_to_string(&shown).is_ok_and(|shown| shown == text)).expect("the clock is set");
    }

    /// Another one in the same folder, once this one has ended.
    pub(crate) fn start_again(&mut self) {
        self.child = run(&self.layout, self.folder.path());
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn term(&mut self) -> bool {
        signal(self.child.id(), libc::SIGTERM);
        self.child.wait().expect("wait").success()
    }

    /// Whether it ended, and how.
    pub(crate) fn ended(&mut self) -> Option<bool> {
        self.child.try_wait().expect("wait").map(|status| status.success())
    }

    pub(crate) fn install(&self, service: &Service) {
        std::fs::create_dir_all(self.layout.specs()).expect("a folder");
        let text = serde_json::to_vec(service).expect("JSON");
        std::fs::write(self.layout.spec(&service.id()), text).expect("write");
    }

    pub(crate) fn enable(&self, unit: &str) {
        let folder = self.layout.state.join("enabled");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(unit), "").expect("write");
    }

    pub(crate) fn ask(&self, ask: Ask) -> Vec<Answer> {
        let mut client = client::connect(&self.layout).expect("connect").expect("a supervisor");
        client.send(ask).expect("send");
        let mut answers = Vec::new();
        client
            .answers(
                || Some(ANSWERED),
                |answer| {
                    answers.push(answer.expect("an answer in time"));
                    Ok(true)
                },
            )
            .expect("answers");
        answers
    }

    pub(crate) fn verb(&self, ask: fn(Units) -> Ask, units: &[&str]) -> BTreeMap<String, Result<Effect, Trouble>> {
        let units = Units { units: units.iter().map(ToString::to_string).collect() };
        self.ask(ask(units))
            .into_iter()
            .filter_map(|answer| match answer {
                Answer::Unit { unit, effect: Some(effect), .. } => Some((unit, Ok(effect))),
                Answer::Unit { unit, error: Some(error), .. } => Some((unit, Err(error))),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn start_unit(&self, unit: &str) -> Result<Effect, Trouble> {
        self.verb(Ask::Start, &[unit]).remove(unit).expect("an answer")
    }

    pub(crate) fn stop_unit(&self, unit: &str) -> Result<Effect, Trouble> {
        self.verb(Ask::Stop, &[unit]).remove(unit).expect("an answer")
    }

    pub(crate) fn record(&self, unit: &str) -> Option<Record> {
        self.state()?.units.remove(unit)
    }

    pub(crate) fn state(&self) -> Option<StateFile> {
        read(&path(&self.layout)).expect("a state file")
    }

    pub(crate) fn main_pid(&self, unit: &str) -> u32 {
        let record = self.wait(unit, |record| record.machine.current.has_main());
        u32::try_from(record.main.expect("a main process").pid).expect("a pid")
    }

    pub(crate) fn wait(&self, unit: &str, what: impl Fn(&Record) -> bool) -> Record {
        let mut last = None;
        until(|| {
            last = self.record(unit);
            last.as_ref().is_some_and(&what)
        })
        .unwrap_or_else(|()| panic!("`{unit}` did not come to that: {:?}", self.record(unit)));
        last.expect("just seen")
    }

    pub(crate) fn wait_state(&self, unit: &str, state: State) -> Record {
        self.wait(unit, |record| record.machine.word() == state)
    }

    pub(crate) fn log(&self, unit: &str) -> String {
        std::fs::read_to_string(self.layout.logs_of(unit).join("current.log")).unwrap_or_default()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Nothing of a failed test lives on: everything of ours carries the folder's mark.
        if let Ok(Some(file)) = read(&path(&self.layout)) {
            for record in file.units.values() {
                if let Some(main) = record.main {
                    // Its number may be that of another test's service by now.
                    let leader = if sys::lives(main) { main.pid } else { sys::NOBODY };
                    for pid in sys::tree_of(leader, &record.invocation, true, &|_| false) {
                        signal(u32::try_from(pid).expect("a pid"), libc::SIGKILL);
                    }
                }
            }
        }
    }
}

fn run(layout: &Layout, folder: &Path) -> Child {
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["supervisor_process", "--exact", "--ignored", "--nocapture"])
        .env("DAEMONCTL_TEST_FOLDER", folder)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("a supervisor");
    until(|| answers_as(layout, child.id())).expect("a supervisor that answers");
    child
}

/// Whether it is this one that answers: what a killed one left may still hold its socket.
fn answers_as(layout: &Layout, wanted: u32) -> bool {
    let Ok(Some(mut client)) = client::connect(layout) else { return false };
    let mut found = false;
    let hear = |answer: Option<Answer>| {
        found |= matches!(answer, Some(Answer::Hello { pid, .. }) if pid == wanted);
        Ok(answer.is_some())
    };
    client.send(Ask::Hello).and_then(|()| client.answers(|| Some(Duration::from_secs(1)), hear)).is_ok() && found
}

/// Waits for something that is to come about.
pub(crate) fn until(what: impl FnMut() -> bool) -> Result<(), ()> {
    until_within(PATIENCE, what)
}

/// Waits for something that may take longer.
pub(crate) fn until_within(patience: Duration, mut what: impl FnMut() -> bool) -> Result<(), ()> {
    let end = Instant::now() + patience;
    while !what() {
        if Instant::now() > end {
            return Err(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

pub(crate) fn signal(pid: u32, signal: i32) {
    let _ = daemonctl::host::sys::send(i32::try_from(pid).expect("a pid"), signal);
}

pub(crate) fn lives(pid: u32) -> bool {
    daemonctl::host::sys::identify(i32::try_from(pid).expect("a pid")).is_some()
}

pub(crate) fn pid_in(path: &Path) -> u32 {
    let mut found = None;
    until(|| {
        found = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        found.is_some()
    })
    .unwrap_or_else(|()| panic!("no pid in {}", path.display()));
    found.expect("just seen")
}

pub(crate) fn testchild() -> String {
    let test = std::env::current_exe().expect("this test");
    let built = test.parent().and_then(Path::parent).expect("a target folder");
    built.join("examples/testchild").display().to_string()
}

pub(crate) fn child(args: &[&str]) -> Vec<String> {
    std::iter::once(testchild()).chain(args.iter().map(ToString::to_string)).collect()
}

pub(crate) fn sh(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

pub(crate) fn service(name: &str, exec: Vec<String>) -> Service {
    Service {
        name: name.to_owned(),
        instances: Vec::new(),
        instance: None,
        description: name.to_owned(),
        display_name: None,
        label: None,
        documentation: Vec::new(),
        exec,
        working_dir: None,
        user: None,
        group: None,
        umask: None,
        env: BTreeMap::new(),
        env_files: Vec::new(),
        start: Start::Manual,
        host: HostMode::Auto,
        kind: Kind::Service,
        after: Vec::new(),
        requires: Vec::new(),
        wants: Vec::new(),
        instances_of: BTreeMap::new(),
        own_folders: false,
        wait_for: Vec::new(),
        ready: None,
        health: None,
        restart: Restart {
            policy: RestartPolicy::Always,
            delay: Duration::from_millis(50),
            factor: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 0.0,
            limit: None,
            reset_after: Duration::from_secs(600),
            success_codes: Vec::new(),
            prevent_codes: Vec::new(),
        },
        stop: Stop {
            command: None,
            signal: StopSignal::Signal(Signal::Term),
            timeout: Duration::from_secs(10),
            kill: KillScope::Tree,
        },
        reload: None,
        watch: None,
        logs: Logs {
            native: true,
            file: None,
            format: LogFormat::Raw,
            max_size: None,
            max_age: None,
            keep: None,
            total: None,
            compress: Compress::None,
            archive: None,
        },
        limits: Limits::default(),
        thresholds: Thresholds::default(),
        security: Security {
            profile: Profile::None,
            read_write: Vec::new(),
            capabilities: None,
            secrets: BTreeMap::new(),
        },
        hooks: Hooks::default(),
        schedule: None,
        native: serde_json::Value::Null,
        given: BTreeMap::new(),
    }
}
