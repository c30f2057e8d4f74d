//! The `launchctl` of the caller.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::codes;
use crate::wire::{self, Answer, Request};

pub(crate) fn run(args: &[OsString]) -> ExitCode {
    let words: Vec<String> = args.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let answer = match words.first().map(String::as_str) {
        Some("asuser") => as_user(&words),
        _ => ask(args, words).unwrap_or_else(|error| {
            Answer::fails(codes::NOT_MODELLED, format!("launchctl model: no daemon answers: {error}"))
        }),
    };
    // Who has gone away does not read what it asked for.
    let _ = std::io::stdout().write_all(answer.out.as_bytes());
    let _ = std::io::stderr().write_all(answer.err.as_bytes());
    ExitCode::from(u8::try_from(answer.code).unwrap_or(1))
}

fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}

pub(crate) fn ask(args: &[OsString], words: Vec<String>) -> std::io::Result<Answer> {
    let folder = std::env::var_os("LAUNCHD_MODEL")
        .map(PathBuf::from)
        .or_else(|| args.first().and_then(|name| Path::new(name).parent()).map(Path::to_owned))
        .unwrap_or_default();
    let request = Request {
        args: words,
        cwd: std::env::current_dir()?,
        uid: number("LAUNCHD_MODEL_UID"),
        session_of: number("LAUNCHD_MODEL_SESSION_OF"),
    };
    let stream = UnixStream::connect(folder.join("socket"))?;
    wire::send(&stream, &request)?;
    wire::receive(&stream)
}

/// `asuser UID COMMAND...`: in that user's session, but still as who calls.
fn as_user(words: &[String]) -> Answer {
    let Some((uid, command)) = words.get(1).and_then(|uid| uid.parse::<u32>().ok()).zip(words.get(2..)) else {
        return Answer::fails(64, "Usage: launchctl asuser <UID> <program> [...]");
    };
    let Some((program, arguments)) = command.split_first() else {
        return Answer::fails(64, "Usage: launchctl asuser <UID> <program> [...]");
    };
    let root = number("LAUNCHD_MODEL_UID").unwrap_or_else(|| nix::unistd::geteuid().as_raw()) == 0;
    if !root {
        return Answer::fails(1, "Could not switch to audit session 0x1: 1: Operation not permitted");
    }
    let error = Command::new(program).args(arguments).env("LAUNCHD_MODEL_SESSION_OF", uid.to_string()).exec();
    Answer::fails(1, error.to_string())
}
