//! Rotated files that a command archives: it gets them one after the other, oldest first, as its last argument and as
//! its standard input, and is run as the service is, after others. What it has taken (it exited with 0) is deleted here.
//!
//! What is still to be archived is what still lies there, so a supervisor that is killed forgets none; the command
//! may get a file twice, then. One that fails is told once and tried again; how much waits for it is bounded by what
//! the manifest keeps.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::command::{Command, Commands, Setting};
use super::{Engine, Id, Input};
use crate::host::logs::rotate::{Retention, generations};
use crate::host::logs::{house, read};
use crate::host::sys;
use crate::service::{Archive, Compress, Priority};

/// The command may take so long for a file.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The first and the longest pause before a file is tried again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

/// What is to be done for the logs of a unit.
struct Work {
    unit: Id,
    argv: Vec<String>,
    logs: Vec<PathBuf>,
    retention: Retention,
    setting: Setting,
    commands: Commands,
    tx: mpsc::UnboundedSender<Input>,
}

impl Engine {
    /// Has what lies there archived, unless that is being done.
    pub(super) fn archive(&mut self, id: &Id) {
        let Some(unit) = self.units.get(id) else { return };
        let Some(Archive::Command(argv)) = &unit.service.logs.archive else { return };
        if unit.archiving.as_ref().is_some_and(|task| !task.is_finished()) {
            // It looks again before it ends.
            return;
        }
        let argv = argv.clone();
        let mut logs: Vec<PathBuf> = unit.pipes.iter().filter_map(|pipe| pipe.record()).map(|log| log.path).collect();
        logs.dedup();
        let owner = self.account_of(&unit.service).ok().and_then(|account| account.owner()).map(|owner| owner.0);
        let retention = Retention::of(&unit.service.logs, owner);
        if logs.iter().all(|log| generations(log, None).is_empty()) {
            return;
        }
        let setting = match self.try_setting(id) {
            Ok(setting) => setting,
            // Tried again with the next one.
            Err(error) => return self.log_trouble(id, Some(format!("nothing is archived: {error}"))),
        };
        let (commands, tx) = (self.commands.clone(), self.tx.clone());
        let work = Work { unit: Rc::clone(id), argv, logs, retention, setting, commands, tx };
        let task = tokio::task::spawn_local(work.done());
        if let Some(unit) = self.units.get_mut(id) {
            unit.archiving = Some(task.abort_handle());
        }
    }
}

impl Work {
    async fn done(self) {
        let mut failed = false;
        let mut pause = AGAIN.0;
        while let Some(file) = self.next().await {
            match self.give(&file).await {
                Ok(()) => {
                    if std::mem::take(&mut failed) {
                        self.tell(None);
                    }
                    pause = AGAIN.0;
                }
                Err(why) => {
                    if !std::mem::replace(&mut failed, true) {
                        self.tell(Some(format!("`{}` is not archived: {why}", file.display())));
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(AGAIN.1);
                }
            }
        }
    }

    fn tell(&self, trouble: Option<String>) {
        let _ = self.tx.send(Input::LogTrouble(Rc::clone(&self.unit), trouble));
    }

    /// The oldest that is ready: compressed, if it is to be and can be.
    async fn next(&self) -> Option<PathBuf> {
        for log in &self.logs {
            let oldest = || generations(log, None).into_iter().next();
            while let Some(file) = oldest() {
                if self.retention.compress == Compress::None || read::is_compressed(&file) {
                    return Some(file);
                }
                let looked = house::kept(log.clone(), self.retention.clone()).await;
                // False: another look took its place.
                if !matches!(looked, Ok(false)) && oldest().as_ref() == Some(&file) {
                    return Some(file);
                }
            }
        }
        None
    }

    async fn give(&self, file: &Path) -> Result<(), String> {
        let cannot = |what: &str, error: &std::io::Error| format!("it cannot be {what}: {error}");
        let opened = match sys::read_log(file, self.setting.account.owner().map(|owner| owner.0)) {
            Ok(opened) => opened,
            // Thrown away meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("read", &error)),
        };
        let mut argv = self.argv.clone();
        argv.push(file.display().to_string());
        let command = Command { argv: &argv, stdin: Some(opened), priority: Some(Priority::Low) };
        self.commands.run_command(command, &self.setting, TIMEOUT).await?;
        match sys::remove_log(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot("deleted", &error)),
            _ => Ok(()),
        }
    }
}
