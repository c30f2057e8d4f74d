//! systemd's own parser reads the units before anything is changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::{Artifact, Body, Target};
use crate::error::{Error, IoContext, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::system::commands::Command;

/// A folder that goes when it is let go.
struct Stage(PathBuf);

impl Stage {
    /// Made by us, for us: what is there already, a link for example, is not taken.
    fn new() -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let base = std::env::temp_dir();
        for attempt in 0..100 {
            let path = base.join(format!("daemonctl-verify-{}-{attempt}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(format_args!("make a folder in `{}`", base.display()), &error)),
            }
        }
        Err(Error::failed(format!("cannot make a folder in `{}`: a hundred names are taken", base.display())))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A left-over below /tmp hurts nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is said where nobody could look.
const UNREAD: &str =
    "there is no `systemd-analyze` here: systemd's own parser did not read the units before they were installed";

/// One call for all units. Returns what the operator should know.
pub(super) fn verify(files: &[Artifact], target: &Target) -> Result<Option<String>> {
    let units: Vec<(&Artifact, &Vec<u8>)> = files
        .iter()
        .filter_map(|artifact| match &artifact.body {
            Body::File { content, definition: true, .. } => Some((artifact, content)),
            _ => None,
        })
        .collect();
    if units.is_empty() {
        return Ok(None);
    }
    let stage = Stage::new()?;
    let mut paths = Vec::with_capacity(units.len());
    for (artifact, content) in &units {
        let Some(name) = artifact.path.file_name() else { continue };
        let path = stage.0.join(name);
        std::fs::write(&path, content).doing(format_args!("write `{}`", path.display()))?;
        paths.push(path);
    }
    let mut command = Command::new("systemd-analyze").limit(Duration::from_secs(120)).arg("verify").arg("--man=no");
    if super::super::answer::since(target, 250) {
        command = command.arg("--recursive-errors=no");
    }
    if target.scope == Scope::User {
        command = command.arg("--user").env("XDG_RUNTIME_DIR", super::runtime_dir());
    }
    let ended = match command
        .env("SYSTEMD_LOG_LEVEL", "warning")
        .env("SYSTEMD_COLORS", "0")
        .env("LC_ALL", "C")
        .args(&paths)
        .run()
    {
        Ok(ended) => ended,
        // A systemd without its tools: the manager will have its say when the unit is started.
        Err(_) if !is_there("systemd-analyze") => return Ok(Some(UNREAD.to_owned())),
        Err(error) => return Err(error),
    };
    let words = String::from_utf8_lossy(&ended.stderr).into_owned();
    let names: Vec<String> = paths.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect();
    let complaints = complaints(&words, &stage.0, &names, &target.host_binary);
    if complaints.is_empty() {
        return Ok(None);
    }
    let mut error = Error::new(Exit::Failed, "systemd does not accept the units; nothing was changed");
    for complaint in complaints {
        error = error.detail(complaint);
    }
    Err(error)
}

/// What the parser says about our files. About other units of the machine it may say what it likes, and our host's binary
/// comes with the installation.
fn complaints(words: &str, stage: &Path, names: &[String], host: &Path) -> Vec<String> {
    let stage = format!("{}/", stage.display());
    let host = format!("Command {} is not executable", host.display());
    let ours = |line: &str| {
        line.contains(&stage)
            || names.iter().any(|name| {
                let (before, after) = name.split_once("@.").unwrap_or((name, ""));
                // A template is read under the name of some instance.
                if after.is_empty() { line.contains(name.as_str()) } else { line.contains(&format!("{before}@")) }
            })
    };
    words.lines().filter(|line| ours(line) && !line.contains(&host)).map(|line| line.replace(&stage, "")).collect()
}

fn is_there(program: &str) -> bool {
    let on_path = |path: String| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    crate::system::machine::own_program(program.as_ref()).is_some() || crate::system::env("PATH").is_some_and(on_path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_about_our_units_counts() {
        let words = "/tmp/x/web.service:9: Unknown key name 'Foo' in section 'Service', ignoring.\n\
                     other.service: Command /nowhere is not executable: No such file or directory\n\
                     web.service: Command /var/lib/host is not executable: No such file or directory\n\
                     job@i.service: bad\n";
        let names = ["web.service".to_owned(), "job@.service".to_owned()];
        let found = complaints(words, Path::new("/tmp/x"), &names, Path::new("/var/lib/host"));
        assert_eq!(
            found,
            ["web.service:9: Unknown key name 'Foo' in section 'Service', ignoring.", "job@i.service: bad"]
        );
    }
}
