//! The environment of a service: nothing of the supervisor's own but a documented base.
//!
//! From weakest to strongest: the base (`PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`; `LANG`, `TZ` and `XDG_RUNTIME_DIR`
//! as the supervisor has them), the `env_file`s in order, `security.secrets`, `env`, and what the host says itself
//! (`DAEMONCTL_UNIT`, `DAEMONCTL_INVOCATION`, `NOTIFY_SOCKET`, `WATCHDOG_USEC`). Under a service manager the environment that
//! it made for the host lies over the base, less what was meant for the host itself.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};

/// Names and values.
pub type Environment = BTreeMap<String, String>;

/// Where programs are looked for, unless the manifest says otherwise.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is passed on of the supervisor's own environment.
pub const PASSED_ON: [&str; 3] = ["LANG", "TZ", "XDG_RUNTIME_DIR"];

/// What programs of Windows expect to find, and the machine or the account has set.
const OF_WINDOWS: [&str; 31] = [
    "ALLUSERSPROFILE",
    "APPDATA",
    "CommonProgramFiles",
    "CommonProgramFiles(x86)",
    "CommonProgramW6432",
    "COMPUTERNAME",
    "ComSpec",
    "DriverData",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_IDENTIFIER",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "ProgramW6432",
    "PSModulePath",
    "PUBLIC",
    "SystemDrive",
    "SystemRoot",
    "TEMP",
    "TMP",
    "USERDOMAIN",
    "USERNAME",
    "USERPROFILE",
    "windir",
];

/// Sets a variable. Windows knows no difference between `Path` and `PATH`: the last one counts.
pub fn set(env: &mut Environment, name: String, value: String) {
    if cfg!(windows) {
        env.retain(|known, _| !known.eq_ignore_ascii_case(&name));
    }
    env.insert(name, value);
}

/// The weakest layer.
#[must_use]
pub fn base(name: &str, home: &Path, shell: &Path, own: impl Fn(&str) -> Option<String>) -> Environment {
    if cfg!(windows) {
        return OF_WINDOWS.iter().filter_map(|name| Some(((*name).to_owned(), own(name)?))).collect();
    }
    let mut env = Environment::from([
        ("PATH".into(), PATH.into()),
        ("HOME".into(), home.display().to_string()),
        ("USER".into(), name.into()),
        ("LOGNAME".into(), name.into()),
        ("SHELL".into(), shell.display().to_string()),
    ]);
    for variable in PASSED_ON {
        if let Some(value) = own(variable) {
            env.insert(variable.into(), value);
        }
    }
    env
}

/// What a service manager says to the process that it started, and to no other.
const FOR_US: [&str; 12] = [
    "DAEMONCTL_INVOCATION",
    "DAEMONCTL_UNIT",
    "FDSTORE",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MAINPID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Lays the environment that a service manager made for us (its secrets and settings among it) over the base. Who the
/// service runs as is said by the base alone.
pub fn hand_on(base: &mut Environment, own: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) {
    for (name, value) in own {
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
        let account = ["HOME", "USER", "LOGNAME", "SHELL"].contains(&name.as_str());
        if !account && !FOR_US.contains(&name.as_str()) {
            set(base, name, value);
        }
    }
}

/// The lines of an `env_file`: `NAME=value`, comments by `#`; a value may stand in single or double quotes, and a
/// backslash in double quotes takes the next character as it is.
pub fn parse(path: &Path, text: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
            continue;
        }
        let wrong = |what: &str| {
            Error::failed(format!("`{}`, line {}: {what}", path.display(), index + 1))
                .hint("each line is `NAME=value`, a comment or empty")
        };
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
        let name = name.trim().strip_prefix("export ").unwrap_or(name.trim()).trim();
        if name.is_empty() || name.contains(char::is_whitespace) || name.contains('\0') {
            return Err(wrong("what stands before `=` is no name of a variable"));
        }
        let value = unquote(value.trim()).ok_or_else(|| wrong("a quote is not closed"))?;
        if value.contains('\0') {
            return Err(wrong("the value contains a NUL character"));
        }
        found.push((name.to_owned(), value));
    }
    Ok(found)
}

fn unquote(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.strip_suffix('\'').map(str::to_owned);
    }
    let Some(rest) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut out = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.next().is_none().then_some(out),
            '\\' => out.push(chars.next()?),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_quotes_and_comments() {
        let text = "# c\nA=1\n\nB = 'x y'\nC=\"q\\\"z\"\nexport D=a=b\nE=\n";
        let found = parse(Path::new("/e"), text).expect("well-formed");
        let wanted = [("A", "1"), ("B", "x y"), ("C", "q\"z"), ("D", "a=b"), ("E", "")];
        assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse(Path::new("/e"), "A=1\nnonsense\n").expect_err("no `=`");
        assert_eq!(error.to_string(), "`/e`, line 2: there is no `=`");
        assert!(parse(Path::new("/e"), "A=\"x\n").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_managers_environment_is_handed_on_but_for_what_was_meant_for_us() {
        let mut env = base("web", Path::new("/home/web"), Path::new("/bin/sh"), |_| None);
        let own = [("SECRET", "s"), ("HOME", "/root"), ("NOTIFY_SOCKET", "/run/x"), ("PATH", "/opt/bin")];
        hand_on(&mut env, own.into_iter().map(|(name, value)| (name.into(), value.into())));
        assert_eq!(
            (env["SECRET"].as_str(), env["HOME"].as_str(), env["PATH"].as_str()),
            ("s", "/home/web", "/opt/bin")
        );
        assert!(!env.contains_key("NOTIFY_SOCKET"));
    }

    #[cfg(unix)]
    #[test]
    fn the_base_passes_on_little() {
        let env =
            base("web", Path::new("/home/web"), Path::new("/bin/sh"), |name| (name == "TZ").then(|| "UTC".into()));
        assert_eq!(env.len(), 6);
        assert_eq!(env["HOME"], "/home/web");
    }
}
