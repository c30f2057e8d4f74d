//! The trampoline between launchd and a program, as Apple's `xpcproxy` is one: it makes the process what the plist wants,
//! and becomes the program. What it cannot do it reports, and exits with 78, `EX_CONFIG`.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, User, initgroups, setgid, setgroups, setsid, setuid};
use serde::{Deserialize, Serialize};

/// Whom the program runs as.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) group: Option<String>,
    pub(crate) init_groups: bool,
}

/// What it becomes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) working_directory: Option<PathBuf>,
    pub(crate) umask: Option<u32>,
    pub(crate) stdin: Option<PathBuf>,
    pub(crate) stdout: Option<PathBuf>,
    pub(crate) stderr: Option<PathBuf>,
    pub(crate) nice: i32,
    pub(crate) soft_limits: BTreeMap<String, u64>,
    pub(crate) hard_limits: BTreeMap<String, u64>,
    pub(crate) account: Option<Account>,
}

/// `EX_CONFIG`.
const CONFIG: u8 = 78;

/// Descriptors that launchd gives a program where the plist says nothing.
const OPEN_FILES: u64 = 256;

pub(crate) fn run(spec: &str) -> ExitCode {
    // A copy that is closed when the program takes over: that is how launchd sees it.
    let Ok(report) = std::io::stdin().as_fd().try_clone_to_owned() else { return ExitCode::from(CONFIG) };
    let why = match serde_json::from_str(spec).map_err(|error| error.to_string()).and_then(|spec| become_it(&spec)) {
        Ok(never) => match never {},
        Err(why) => why,
    };
    // Nobody is left to tell if this fails too.
    let _ = File::from(report).write_all(why.as_bytes());
    ExitCode::from(CONFIG)
}

fn become_it(spec: &Spec) -> Result<std::convert::Infallible, String> {
    setsid().map_err(|error| format!("setsid: {error}"))?;
    limits(spec)?;
    if spec.nice != 0 {
        // SAFETY: the call takes numbers and has no other effect than the priority of this process.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, spec.nice) };
    }
    if let Some(account) = &spec.account {
        switch(account)?;
    }
    umask(Mode::from_bits_truncate(spec.umask.unwrap_or(0o022)));
    let folder = spec.working_directory.as_deref().unwrap_or(Path::new("/"));
    std::env::set_current_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let stdin = spec.stdin.as_deref().unwrap_or(Path::new("/dev/null"));
    let input = File::open(stdin).map_err(|error| format!("{}: {error}", stdin.display()))?;
    let program = located(&spec.program)?;
    let mut command = Command::new(program);
    if let Some((name, arguments)) = spec.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    let error = command
        .env_clear()
        .envs(&spec.environment)
        .stdin(input)
        .stdout(output(spec.stdout.as_deref())?)
        .stderr(output(spec.stderr.as_deref())?)
        .exec();
    Err(format!("{}: {error}", spec.program))
}

fn output(path: Option<&Path>) -> Result<Stdio, String> {
    let Some(path) = path else { return Ok(Stdio::null()) };
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map(Stdio::from).map_err(|error| format!("{}: {error}", path.display()))
}

/// A program without a slash is looked for where launchd looks, not where the job's own PATH says.
fn located(program: &str) -> Result<PathBuf, String> {
    if program.starts_with('/') {
        return Ok(program.into());
    }
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{program}: not found"))
}

fn limits(spec: &Spec) -> Result<(), String> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES.min(most), most).map_err(|error| error.to_string())?;
    // The ceiling first, as the floor may not be above it.
    for (limits, hard) in [(&spec.hard_limits, true), (&spec.soft_limits, false)] {
        for (name, value) in limits {
            let resource = match name.as_str() {
                "NumberOfFiles" => Resource::RLIMIT_NOFILE,
                "NumberOfProcesses" => Resource::RLIMIT_NPROC,
                "Core" => Resource::RLIMIT_CORE,
                "CPU" => Resource::RLIMIT_CPU,
                "Data" => Resource::RLIMIT_DATA,
                "FileSize" => Resource::RLIMIT_FSIZE,
                "MemoryLock" => Resource::RLIMIT_MEMLOCK,
                "ResidentSetSize" => Resource::RLIMIT_RSS,
                "Stack" => Resource::RLIMIT_STACK,
                other => return Err(format!("no limit `{other}`")),
            };
            let (soft, most) = getrlimit(resource).map_err(|error| error.to_string())?;
            let (soft, most) = if hard { (soft.min(*value), *value) } else { (*value, most.max(*value)) };
            setrlimit(resource, soft, most).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(())
}

fn switch(account: &Account) -> Result<(), String> {
    let wrong = |error: nix::errno::Errno| format!("{}: {error}", account.user);
    let user = User::from_name(&account.user).map_err(wrong)?;
    let user = user.ok_or_else(|| format!("no user `{}`", account.user))?;
    if user.uid == nix::unistd::geteuid() && account.group.is_none() {
        return Ok(());
    }
    let gid = match &account.group {
        None => user.gid,
        Some(name) => {
            let group = Group::from_name(name).map_err(wrong)?;
            group.map(|group| group.gid).ok_or_else(|| format!("no group `{name}`"))?
        }
    };
    let name = CString::new(account.user.as_str()).map_err(|error| error.to_string())?;
    if account.init_groups {
        initgroups(&name, gid).map_err(wrong)?;
    } else {
        setgroups(&[] as &[Gid]).map_err(wrong)?;
    }
    setgid(gid).map_err(wrong)?;
    setuid(user.uid).map_err(wrong)
}
