//! The model of launchd as a test uses it: a daemon of its own, and a `launchctl` that talks to it.
#![allow(dead_code, unreachable_pub, reason = "each test target uses its part")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::Where;

/// A running model. When it is dropped every process of it ends.
pub struct Model {
    /// Its folder: the socket, the override data base, `launchctl`.
    pub folder: PathBuf,
    daemon: Child,
}

/// What a call of `launchctl` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "expected exit code {code}: {self:?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text), "expected `{text}` in standard output: {self:?}");
        self
    }

    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "expected `{text}` in standard error: {self:?}");
        self
    }
}

impl Model {
    /// Starts one with its files in `folder`, which is made.
    pub fn start(folder: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        // Another account may call it.
        #[cfg(unix)]
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let program = program();
        #[cfg(unix)]
        for name in ["launchctl", "log"] {
            std::os::unix::fs::symlink(&program, folder.join(name)).unwrap();
        }
        let mut daemon = Command::new(&program)
            .arg("--daemon")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{}`: {error}", program.display()));
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the model of launchd did not start");
        Self { folder: folder.to_owned(), daemon }
    }

    /// The `launchctl` that talks to it.
    pub fn launchctl(&self) -> PathBuf {
        self.folder.join("launchctl")
    }

    /// The `log` that reads its unified log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Calls it as the account that we are.
    pub fn run(&self, args: &[&str]) -> Said {
        Self::said(Command::new(self.launchctl()).args(args))
    }

    /// Calls it as another account.
    pub fn run_as(&self, uid: u32, args: &[&str]) -> Said {
        Self::said(Command::new(self.launchctl()).args(args).env("LAUNCHD_MODEL_UID", uid.to_string()))
    }

    fn said(command: &mut Command) -> Said {
        let output = command.stdin(Stdio::null()).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Turns knobs.
    pub fn set(&self, knobs: &Value) {
        self.run(&["model", "set", &knobs.to_string()]).ok();
    }

    /// Injects a fault: `json!({ "verb": "bootstrap", "times": 1, "what": { "fail": 5 } })`.
    pub fn fault(&self, fault: &Value) {
        self.run(&["model", "fault", &fault.to_string()]).ok();
    }

    /// How often the faults have struck.
    pub fn struck(&self) -> u64 {
        let faults: Value = serde_json::from_str(&self.run(&["model", "faults"]).ok().out).unwrap();
        faults.as_array().unwrap().iter().map(|fault| fault["struck"].as_u64().unwrap()).sum()
    }

    /// The loaded service with this label; null: there is none.
    pub fn job(&self, label: &str) -> Value {
        self.jobs().into_iter().find(|job| job["label"] == label).unwrap_or(Value::Null)
    }

    /// The loaded services.
    pub fn jobs(&self) -> Vec<Value> {
        serde_json::from_str(&self.run(&["model", "state"]).ok().out).unwrap()
    }

    /// The process of a service that runs.
    pub fn pid(&self, label: &str) -> i32 {
        i32::try_from(self.job(label)["pid"].as_i64().unwrap_or_else(|| panic!("`{label}` does not run"))).unwrap()
    }

    /// What has happened, in order.
    pub fn history(&self) -> Vec<Value> {
        serde_json::from_str(&self.run(&["model", "history"]).ok().out).unwrap()
    }

    /// The verbs that were called of a service, in order.
    pub fn verbs(&self, label: &str) -> Vec<String> {
        let asked = |line: &Value| {
            let args = line["args"].as_array()?;
            let of = args.iter().any(|word| word.as_str().is_some_and(|word| word.contains(label)));
            (line["what"] == "asked" && of).then(|| args[0].as_str().unwrap_or_default().to_owned())
        };
        self.history().iter().filter_map(asked).collect()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // It ends with its standard input, and takes every process along.
        drop(self.daemon.stdin.take());
        let _ = self.daemon.wait();
    }
}

/// The program of the model.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("DAEMONCTL_LAUNCHD_MODEL") {
        return PathBuf::from(path);
    }
    let path = super::program().parent().unwrap().join("examples/launchctl_model");
    assert!(path.exists(), "`{}` is missing: `cargo build --example launchctl_model`", path.display());
    path
}

/// Writes a definition as launchd wants it: XML, 0644.
pub fn write_plist(path: &Path, keys: &Value) {
    use std::fmt::Write as _;
    fn element(value: &Value, text: &mut String) {
        match value {
            Value::Bool(value) => drop(write!(text, "<{value}/>")),
            Value::Number(value) => drop(write!(text, "<integer>{value}</integer>")),
            Value::String(value) => {
                let value = value.replace('&', "&amp;").replace('<', "&lt;");
                let _ = write!(text, "<string>{value}</string>");
            }
            Value::Array(items) => {
                text.push_str("<array>");
                for item in items {
                    element(item, text);
                }
                text.push_str("</array>");
            }
            Value::Object(map) => {
                text.push_str("<dict>");
                for (key, value) in map {
                    let _ = write!(text, "<key>{key}</key>");
                    element(value, text);
                }
                text.push_str("</dict>");
            }
            Value::Null => {}
        }
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">");
    element(keys, &mut text);
    text.push_str("</plist>\n");
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
}

/// The value of a key at depth one of what `print` prints.
pub fn printed(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix('\t')?.strip_prefix(key)?.strip_prefix(" = ").map(str::to_owned))
}

/// No knobs but these: every account is us, user 501 is logged in, and a second between spawns is a blink.
pub fn quick() -> Value {
    json!({ "one_account": true, "gui": [501], "user": [501], "spawn_second": 1 })
}

/// A model for a test of the contract: the machine that its place says, in the dialect of `DAEMONCTL_LAUNCHD_DIALECT`.
/// The seconds between two spawns are short; those of `ExitTimeOut` are real.
pub fn for_contract(place: Where, dir: &Path) -> Model {
    let model = Model::start(&dir.join("launchd"));
    let uid = nix::unistd::geteuid().as_raw();
    let own = if place == Where::LaunchdSystem { vec![] } else { vec![uid] };
    let gui = if place == Where::LaunchdGui { own.clone() } else { vec![] };
    let (home, run) = (dir.join("home"), dir.join("run"));
    let dialect = std::env::var("DAEMONCTL_LAUNCHD_DIALECT").unwrap_or_else(|_| "26".to_owned());
    let definitions = match place {
        Where::LaunchdSystem => PathBuf::from("/etc/LaunchDaemons"),
        _ => home.join(".config/LaunchAgents"),
    };
    std::fs::create_dir_all(&definitions).unwrap();
    let (daemons, agents) = if own.is_empty() { (vec![definitions], vec![]) } else { (vec![], vec![definitions]) };
    model.set(&json!({
        "dialect": dialect, "spawn_second": 50, "user": own, "gui": gui, "daemons": daemons, "agents": agents,
        "homes": { uid.to_string(): home }, "environment": { "XDG_RUNTIME_DIR": run },
    }));
    model
}
