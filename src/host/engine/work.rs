//! What runs beside a service for it: conditions, hooks, the stop command and the reload action.

use std::rc::Rc;
use std::time::Duration;

use super::probe::words_for as probe_words;
use super::{Engine, Id, Input};
use crate::host::machine::{Event, Stage};
use crate::host::sys;
use crate::host::words;
use crate::service::{HookAction, HookFailure, ReloadAction};

/// A reload action may take so long.
const RELOAD: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn ask_conditions(&mut self, id: &Id) {
        let setting = self.try_setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let conditions = unit.service.wait_for.clone();
        unit.waiting = Some(format!(
            "waits for {}",
            conditions.iter().map(|wait| probe_words(&wait.probe)).collect::<Vec<_>>().join(", ")
        ));
        let task = tokio::task::spawn_local(async move {
            let result = async {
                let setting = setting.map_err(|error| error.to_string())?;
                for wait in conditions {
                    let mut last = String::new();
                    let asked = super::watch::until_well(&wait.probe, &commands, &setting, |message| last = message);
                    if tokio::time::timeout(wait.timeout, asked).await.is_err() {
                        let within = words::duration(wait.timeout);
                        return Err(format!("{} was not there within {within} ({last})", probe_words(&wait.probe)));
                    }
                }
                Ok(())
            }
            .await;
            let _ = tx.send(Input::Event(name, Event::Conditions(result)));
        });
        unit.work = Some(task.abort_handle());
    }

    pub(super) fn run_hooks(&mut self, id: &Id, stage: Stage) {
        let ready = self.ensure_pipes(id);
        let ready = if stage == Stage::PreStart { ready.and_then(|()| self.make_credentials(id)) } else { ready };
        if let Err(error) = ready {
            return self.queue.push_back((Rc::clone(id), Event::Hooks(stage, Err(error.to_string()))));
        }
        let setting = self.try_setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let (hooks, word) = match stage {
            Stage::PreStart => (unit.service.hooks.pre_start.clone(), "pre_start"),
            Stage::PostStart => (unit.service.hooks.post_start.clone(), "post_start"),
            Stage::PreStop => (unit.service.hooks.pre_stop.clone(), "pre_stop"),
            Stage::PostStop => (unit.service.hooks.post_stop.clone(), "post_stop"),
        };
        unit.waiting = Some(format!("runs its {word} hooks"));
        let task = tokio::task::spawn_local(async move {
            let result = async {
                let setting = setting.map_err(|error| error.to_string())?;
                for hook in hooks {
                    let HookAction::Command(argv) = &hook.action else { continue };
                    if let Err(why) = commands.run(argv, &setting, hook.timeout).await
                        && hook.on_failure == HookFailure::Abort
                    {
                        return Err(format!("its {word} hook failed: {why}"));
                    }
                }
                Ok(())
            }
            .await;
            let _ = tx.send(Input::Event(name, Event::Hooks(stage, result)));
        });
        unit.work = Some(task.abort_handle());
    }

    pub(super) fn stop_command(&mut self, id: &Id) {
        let setting = self.setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let (Some(argv), timeout) = (unit.service.stop.command.clone(), unit.service.stop.timeout) else { return };
        unit.sent(format!("stop command {}", argv.join(" ")), Vec::new());
        let task = tokio::task::spawn_local(async move {
            if let Some(setting) = setting {
                let _ = commands.run(&argv, &setting, timeout).await;
            }
            let _ = tx.send(Input::Event(name, Event::StopCommandDone));
        });
        unit.work = Some(task.abort_handle());
    }

    pub(super) fn reload(&mut self, id: &Id) {
        let setting = self.try_setting(id);
        let commands = self.commands.clone();
        let (name, tx) = (Rc::clone(id), self.tx.clone());
        let Some(unit) = self.units.get_mut(id) else { return };
        let (reload, main) = (unit.service.reload.clone(), unit.main);
        tokio::task::spawn_local(async move {
            let result = async {
                let setting = setting.map_err(|error| error.to_string())?;
                let (Some(reload), Some(main)) = (reload, main) else {
                    return Err("it has no reload action".to_owned());
                };
                if let Some(check) = &reload.check {
                    commands.run(check, &setting, RELOAD).await.map_err(|why| format!("its check failed: {why}"))?;
                }
                match &reload.action {
                    ReloadAction::Signal(signal) => {
                        let sent = sys::lives(main) && sys::send_signal(main.pid, *signal);
                        if sent { Ok(()) } else { Err("it ended meanwhile".to_owned()) }
                    }
                    ReloadAction::Command(argv) => commands.run(argv, &setting, RELOAD).await,
                    ReloadAction::Http(url) => {
                        let asked = tokio::time::timeout(RELOAD, super::http::request("POST", url, &[])).await;
                        match asked.unwrap_or_else(|_| Err(format!("{url}: no answer"))) {
                            Ok(200..=299) => Ok(()),
                            Ok(status) => Err(format!("{url} answered {status}")),
                            Err(why) => Err(why),
                        }
                    }
                }
            }
            .await;
            let _ = tx.send(Input::Reloaded(name, result));
        });
    }
}
