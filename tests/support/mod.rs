//! The small language that the tests of the whole program are written in.
//!
//! ```ignore
//! let Some(t) = Test::live("restarts") else { return };      // where such tests run, see scripts/live-*
//! t.manifest("[service.{p}web]\nexec = [\"{child}\", \"sleep\"]\n");
//! t.install().ok();
//! t.wait_for("{p}web", |status| status["state"] == "running");
//! ```
//! In manifests and arguments `{p}` is a prefix that is the test's own, `{child}` the test child, `{dir}` the test's
//! folder. Whatever a test installs is uninstalled when it ends, however it ends.
#![allow(dead_code, unreachable_pub, reason = "each test target uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

#[cfg(target_os = "linux")]
pub mod launchd;
#[cfg(windows)]
pub mod windows;

/// How long a state is waited for; far more than it takes, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where the tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// A machine that systemd runs, as root.
    Systemd,
    /// The same, as a user, in user scope.
    SystemdUser,
    /// No service manager, as root or a user.
    Embedded,
    /// A Mac, as root or a user.
    Launchd,
    /// The model of launchd, as root, in the system domain.
    LaunchdSystem,
    /// The same, as a user who is logged in at the window server, in a home of its own.
    LaunchdGui,
    /// The same, as a user who is not.
    LaunchdUser,
    /// Windows, as an administrator: services of the service control manager.
    Windows,
    /// Windows, in user scope, embedded.
    WindowsUser,
    /// No machine of the test's own: a home of its own, user scope, embedded.
    Home,
}

impl Where {
    /// Whether a test has a home of its own.
    fn own_home(self) -> bool {
        matches!(self, Self::Home | Self::LaunchdGui | Self::LaunchdUser)
    }

    fn modelled(self) -> bool {
        matches!(self, Self::LaunchdSystem | Self::LaunchdGui | Self::LaunchdUser)
    }
}

/// One test.
pub struct Test {
    /// Where it runs.
    pub place: Where,
    /// Its folder.
    pub dir: PathBuf,
    prefix: String,
    #[cfg(target_os = "linux")]
    model: Option<launchd::Model>,
    _folder: tempfile::TempDir,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// Live tests of one target share a machine, and a killed install of one must not be recovered by another.
static TURN: Mutex<()> = Mutex::new(());

impl Test {
    /// A test on the live machine that `DAEMONCTL_LIVE` names. None, with a word, where there is none.
    pub fn live(name: &str) -> Option<Self> {
        let place = match std::env::var("DAEMONCTL_LIVE").as_deref() {
            Ok("systemd") => Where::Systemd,
            Ok("systemd-user") => Where::SystemdUser,
            Ok("embedded") => Where::Embedded,
            Ok("windows") => Where::Windows,
            Ok("windows-user") => Where::WindowsUser,
            Ok("launchd") => Where::Launchd,
            Ok("launchd-system") => Where::LaunchdSystem,
            Ok("launchd-gui") => Where::LaunchdGui,
            Ok("launchd-user") => Where::LaunchdUser,
            _ => {
                eprintln!("{name}: needs a machine of its own; run it with scripts/live-*");
                return None;
            }
        };
        Some(Self::new(name, place))
    }

    /// A test in a home of its own.
    pub fn home(name: &str) -> Self {
        Self::new(name, Where::Home)
    }

    fn new(name: &str, place: Where) -> Self {
        let turn = (!place.own_home()).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
        let folder = tempfile::Builder::new().prefix("daemonctl-test-").tempdir().unwrap();
        // A service may run as another user, who must reach what its manifest names.
        #[cfg(unix)]
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        // On Windows the canonical path is of a kind that many programs can't read.
        let dir = if cfg!(windows) { folder.path().to_owned() } else { folder.path().canonicalize().unwrap() };
        std::fs::create_dir(dir.join("run")).unwrap();
        if place.own_home() {
            std::fs::create_dir(dir.join("home")).unwrap();
        }
        #[cfg(unix)]
        std::fs::set_permissions(dir.join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        #[cfg(target_os = "linux")]
        let model = place.modelled().then(|| launchd::for_contract(place, &dir));
        Self {
            place,
            prefix: format!("{}-", name.replace('_', "-")),
            #[cfg(target_os = "linux")]
            model,
            dir,
            _folder: folder,
            _turn: turn,
        }
    }

    /// The model of launchd that the test runs on.
    #[cfg(target_os = "linux")]
    pub fn model(&self) -> &launchd::Model {
        self.model.as_ref().unwrap()
    }

    /// The domain of launchd that its services are in.
    #[cfg(target_os = "linux")]
    pub fn domain(&self) -> String {
        let uid = nix::unistd::geteuid();
        match self.place {
            Where::LaunchdGui => format!("gui/{uid}"),
            Where::LaunchdUser => format!("user/{uid}"),
            _ => "system".to_owned(),
        }
    }

    /// The label of an installed service of this test.
    #[cfg(target_os = "linux")]
    pub fn label(&self, service: &str) -> String {
        self.job(service)["label"].as_str().unwrap_or_else(|| panic!("`{service}` is not loaded")).to_owned()
    }

    /// What the model knows of a service of this test; null: it is not loaded.
    #[cfg(target_os = "linux")]
    pub fn job(&self, service: &str) -> Value {
        let name = format!("{}{service}", self.prefix);
        let found = self
            .model()
            .jobs()
            .into_iter()
            .find(|job| job["label"].as_str().is_some_and(|label| label.ends_with(&name)));
        found.unwrap_or(Value::Null)
    }

    /// Whether launchd, or its model, runs the machine.
    pub fn launchd(&self) -> bool {
        self.place == Where::Launchd || self.place.modelled()
    }

    /// The home of who runs the program.
    pub fn home_dir(&self) -> PathBuf {
        if self.place.own_home() {
            return self.dir.join("home");
        }
        std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default()
    }

    /// Whether systemd runs the machine.
    pub fn systemd(&self) -> bool {
        matches!(self.place, Where::Systemd | Where::SystemdUser)
    }

    /// Whether the services are the machine's.
    pub fn system_scope(&self) -> bool {
        match self.place {
            Where::Systemd | Where::Windows => true,
            Where::LaunchdSystem => true,
            Where::SystemdUser | Where::WindowsUser | Where::Home | Where::LaunchdGui | Where::LaunchdUser => false,
            Where::Embedded | Where::Launchd => is_root(),
        }
    }

    /// `{p}`, `{child}` and `{dir}` filled in.
    pub fn fill(&self, text: &str) -> String {
        text.replace("{p}", &self.prefix).replace("{child}", &slashed(&child())).replace("{dir}", &slashed(&self.dir))
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file into the test's folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let mut text = self.fill(text);
        if self.place == Where::LaunchdUser && text.contains("[service.") {
            // Who is not logged in at the screen says so: launchd takes agents for `gui/UID` otherwise.
            text += "\n[defaults.launchd]\nLimitLoadToSessionType = [\"Background\"]\n";
        }
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes the manifest, `manifest.toml`.
    pub fn manifest(&self, text: &str) -> PathBuf {
        self.write("manifest.toml", text)
    }

    /// The program with arguments, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.current_dir(&self.dir).stdin(Stdio::null()).env_remove("DAEMONCTL_KILL_AT");
        #[cfg(target_os = "linux")]
        if let Some(model) = &self.model {
            command.env("DAEMONCTL_LAUNCHCTL", model.launchctl()).env("DAEMONCTL_LOG", model.log());
            for name in ["SSH_TTY", "SUDO_UID", "SUDO_GID", "SUDO_USER"] {
                command.env_remove(name);
            }
        }
        if self.place.own_home() {
            let home = self.dir.join("home");
            for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
                command.env_remove(name);
            }
            command.env("HOME", home).env("XDG_RUNTIME_DIR", self.dir.join("run"));
            if self.place == Where::Home && !is_told_where(args) {
                command.args(["--user", "--backend", "embedded"]);
            }
        }
        if self.place == Where::WindowsUser && !is_told_where(args) {
            command.args(["--user", "--backend", "embedded"]);
        }
        if self.place.modelled() && !is_told_where(args) {
            // What runs the machine that the tests run on is not launchd.
            command.args(["--backend", "launchd"]);
        }
        command.args(args.iter().map(|arg| self.fill(arg)));
        command
    }

    /// Runs the program.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args), args)
    }

    /// `install manifest.toml`.
    pub fn install(&self) -> Ran {
        self.run(&["install", "manifest.toml"])
    }

    /// `status --json` of one unit.
    pub fn status(&self, unit: &str) -> Value {
        let ran = self.run(&["status", unit, "--json"]);
        let value: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("status printed no JSON ({error}):\n{ran}"));
        match &value {
            Value::Array(items) => items.first().cloned().unwrap_or(Value::Null),
            Value::Object(map) if map.contains_key("services") => map["services"][0].clone(),
            _ => value,
        }
    }

    /// Waits until a unit's status is as wanted, and gives it.
    pub fn wait_for(&self, unit: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status(unit);
            if wanted(&status) {
                return status;
            }
            assert!(Instant::now() < until, "`{}` never came to the wanted state; it is\n{status:#}", self.fill(unit));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The main process of a unit that runs.
    pub fn pid(&self, unit: &str) -> i32 {
        let status = self.wait_for(unit, |status| status["state"] == "running" && status["pid"].is_u64());
        i32::try_from(status["pid"].as_u64().unwrap()).unwrap()
    }

    /// Every file below the folders that daemonctl and the manager keep units and state in, with its content: for
    /// "byte for byte as before".
    pub fn machine(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        for folder in self.folders() {
            collect(&folder, &mut found);
        }
        #[cfg(windows)]
        if self.place == Where::Windows {
            found.extend(windows::services());
        }
        found.sort();
        found
    }

    /// daemonctl's state folder.
    pub fn state(&self) -> PathBuf {
        if cfg!(windows) {
            let folder = |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_default());
            return match self.place {
                Where::Windows => folder("ProgramData").join("daemonctl"),
                _ => folder("LOCALAPPDATA").join(r"daemonctl\data"),
            };
        }
        let state =
            |mac: &str, linux: &str| if self.place == Where::Launchd { mac.to_owned() } else { linux.to_owned() };
        if self.system_scope() {
            return state("/Library/Application Support/daemonctl", "/var/lib/daemonctl").into();
        }
        self.home_dir().join(state("Library/Application Support/daemonctl", ".local/state/daemonctl"))
    }

    /// daemonctl's runtime folder.
    pub fn runtime(&self) -> PathBuf {
        if self.place.own_home() {
            return self.dir.join("run/daemonctl");
        }
        if cfg!(windows) {
            return self.state().join("run");
        }
        if self.place == Where::Launchd {
            let system = PathBuf::from("/var/run/daemonctl");
            return if self.system_scope() { system } else { self.home_dir().join("Library/Caches/daemonctl") };
        }
        if self.system_scope() {
            return "/run/daemonctl".into();
        }
        PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").unwrap_or_default()).join("daemonctl")
    }

    fn folders(&self) -> Vec<PathBuf> {
        match (self.place, self.system_scope()) {
            _ if self.launchd() => vec![self.definitions()],
            (Where::Windows | Where::WindowsUser, _) => vec![self.state().join("specs")],
            (Where::Home, _) => vec![self.dir.join("home/.config")],
            (_, true) => vec!["/etc/systemd".into()],
            (_, false) => vec![self.home_dir().join(".config/systemd")],
        }
    }

    /// Where launchd finds definitions: below the configuration folder of this system's layout.
    pub fn definitions(&self) -> PathBuf {
        if self.place == Where::Launchd {
            let system = PathBuf::from("/Library/LaunchDaemons");
            return if self.system_scope() { system } else { self.home_dir().join("Library/LaunchAgents") };
        }
        if self.system_scope() {
            return "/etc/LaunchDaemons".into();
        }
        self.home_dir().join(".config/LaunchAgents")
    }
}

impl Drop for Test {
    fn drop(&mut self) {
        let ran = self.run(&["uninstall", "--all", "--purge"]);
        if self.place == Where::Home {
            // The supervisor of a home of its own ends with it.
            let _ = self.run(&["supervise", "--stop"]);
        }
        let excused = std::thread::panicking();
        assert!(ran.code == 0 || excused, "what the test installed could not be taken away:\n{ran}");
    }
}

/// What a run of the program said.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The arguments.
    pub what: String,
    /// The exit code; -1: a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`daemonctl {}` exited with {}\n-- stdout\n{}-- stderr\n{}",
            self.what, self.code, self.stdout, self.stderr
        )
    }
}

impl Ran {
    /// Runs a command that was made with [`Test::command`].
    pub fn of(mut command: Command, args: &[&str]) -> Self {
        let output = command.output().unwrap();
        Self {
            what: args.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It must have exited with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// It must have exited so.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "expected exit code {code}:\n{self}");
        self
    }

    /// Its standard output must contain this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "expected `{text}` in standard output:\n{self}");
        self
    }

    /// Its standard error must contain this.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected `{text}` in standard error:\n{self}");
        self
    }

    /// Neither stream may contain this.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "`{text}` must not be said:\n{self}");
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}):\n{self}"))
    }
}

/// The program under test.
pub fn program() -> PathBuf {
    std::env::var_os("DAEMONCTL_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_daemonctl")), PathBuf::from)
}

/// The test child.
pub fn child() -> PathBuf {
    if let Some(path) = std::env::var_os("DAEMONCTL_TESTCHILD") {
        return PathBuf::from(path);
    }
    let folder = program().parent().map(Path::to_owned).unwrap();
    let path = folder.join("examples").join(format!("testchild{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "`{}` is missing: `cargo build --example testchild`", path.display());
    path
}

/// Whether we are root.
pub fn is_root() -> bool {
    #[cfg(unix)]
    return nix::unistd::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// A path in a manifest: Windows takes slashes too, and a TOML string takes no single backslashes.
fn slashed(path: &Path) -> String {
    let path = path.to_string_lossy();
    if cfg!(windows) { path.replace('\\', "/") } else { path.into_owned() }
}

/// Ends a process as roughly as can be.
pub fn kill(pid: i32) {
    #[cfg(unix)]
    signal(pid, nix::sys::signal::Signal::SIGKILL);
    #[cfg(windows)]
    windows::kill(pid);
}

/// Whether a process is there.
#[cfg(windows)]
pub fn lives(pid: i32) -> bool {
    daemonctl::host::sys::identify(pid).is_some()
}

/// A process's environment: nothing tells it here.
#[cfg(windows)]
pub fn environment(_: impl std::fmt::Display) -> String {
    String::new()
}

/// Sends a signal.
#[cfg(unix)]
pub fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Whether a process is there (a zombie is not).
#[cfg(target_os = "linux")]
pub fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(") ").map(|(_, rest)| !rest.starts_with(['Z', 'X'])))
        .unwrap_or(false)
}

/// Whether a process is there (a zombie is not).
#[cfg(all(unix, not(target_os = "linux")))]
pub fn lives(pid: i32) -> bool {
    let state = ps(pid, &["-o", "stat="]);
    !state.is_empty() && !state.starts_with('Z')
}

/// A process's environment, each `NAME=value` followed by NUL.
#[cfg(target_os = "linux")]
pub fn environment(pid: impl std::fmt::Display) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap()
}

/// A process's environment, as near as `ps` shows it: arguments and variables, each followed by NUL.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn environment(pid: impl std::fmt::Display) -> String {
    ps(pid, &["-E", "-ww", "-o", "command="]).replace(' ', "\0") + "\0"
}

/// A process's arguments in one text.
#[cfg(target_os = "linux")]
pub fn command_line(pid: impl std::fmt::Display) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap()
}

/// A process's arguments in one text.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn command_line(pid: impl std::fmt::Display) -> String {
    ps(pid, &["-ww", "-o", "command="])
}

#[cfg(all(unix, not(target_os = "linux")))]
fn ps(pid: impl std::fmt::Display, options: &[&str]) -> String {
    let output = Command::new("/bin/ps").args(options).args(["-p", &pid.to_string()]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Its arguments say which machine or backend it is about.
fn is_told_where(args: &[&str]) -> bool {
    ["--backend", "--root", "--target"].iter().any(|flag| args.contains(flag))
}

/// Waits until something is so.
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for a child process and gives its exit code.
pub fn code_of(mut child: Child) -> i32 {
    let mut ended = None;
    eventually("the child to end", || {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    ended.and_then(|ended| ended.code()).unwrap_or(-1)
}

/// A TCP port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Everything below a folder, with its content.
pub fn below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort();
    found
}

fn collect(path: &Path, found: &mut Vec<(PathBuf, String)>) {
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    if meta.is_symlink() {
        found.push((path.to_owned(), format!("-> {}", std::fs::read_link(path).unwrap().display())));
    } else if meta.is_dir() {
        found.push((path.to_owned(), "folder".to_owned()));
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            collect(&entry.path(), found);
        }
    } else if !meta.is_file() {
        // Opening a named pipe waits for its other end.
        found.push((path.to_owned(), "special".to_owned()));
    } else {
        found.push((path.to_owned(), String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()));
    }
}
