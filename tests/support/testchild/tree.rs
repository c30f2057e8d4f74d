//! Processes that outlive, or are hidden behind, the one that was started.

use super::{Args, Done, say, sys, unknown, write_whole};
use std::ffi::OsString;
use std::process::{Child, Command, Stdio};

/// A testchild of ours, its stdio on the null device.
fn child(mut line: Vec<OsString>) -> std::io::Result<Command> {
    if line.is_empty() {
        line.push("sleep".into());
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(line).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn start(command: &mut Command, pid_file: Option<&OsString>) -> std::io::Result<Child> {
    let child = command.spawn()?;
    if let Some(file) = pid_file {
        write_whole(file.as_ref(), format!("{}\n", child.id()).as_bytes())?;
    }
    Ok(child)
}

/// Two generations, as a daemon of the old kind does it: the one in between ends first, then we do.
pub(crate) fn fork_leave(mut args: Args) -> Done {
    let mut pid_file = None;
    while let Some(option) = args.option() {
        match option.as_str() {
            "--pid-file" => pid_file = Some(args.need("--pid-file FILE")?),
            other => return Err(unknown(other)),
        }
    }
    let mut between: Vec<OsString> = vec!["grandchild".into(), "--exit".into(), "0".into()];
    if let Some(file) = pid_file {
        between.extend(["--pid-file".into(), file]);
    }
    between.push("--".into());
    between.extend(args.rest());
    let mut command = child(between)?;
    sys::own_session(&mut command);
    let status = command.status()?;
    if status.success() { Ok(0) } else { Err(format!("the process in between: {status}").into()) }
}

pub(crate) fn grandchild(mut args: Args) -> Done {
    let (mut setsid, mut hold, mut pid_file, mut code) = (false, false, None, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "--setsid" => setsid = true,
            "--hold-stdout" => hold = true,
            "--pid-file" => pid_file = Some(args.need("--pid-file FILE")?),
            "--exit" => code = Some(args.number("--exit CODE")?),
            other => return Err(unknown(other)),
        }
    }
    let mut command = child(args.rest())?;
    if hold {
        command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    }
    if setsid {
        sys::own_session(&mut command);
    }
    let child = start(&mut command, pid_file.as_ref())?;
    if let Some(code) = code {
        return Ok(code);
    }
    say(&format!("grandchild {}", child.id()))?;
    sys::pause();
}

pub(crate) fn spawn(mut args: Args) -> Done {
    let count: u32 = args.number("spawn N")?;
    args.end()?;
    for _ in 0..count {
        start(&mut child(Vec::new())?, None)?;
    }
    say(&format!("spawned {count}"))?;
    sys::pause();
}
