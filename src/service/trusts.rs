//! What a service runs or reads before it is itself: who can change that, becomes its account.

use std::path::PathBuf;

use super::{
    Archive, Argv, HealthCheck, Hook, HookAction, Probe, ReadyWhen, ReloadAction, Secret, Service, WatchAction,
};

impl Service {
    /// Its programs, files of variables and secrets, each with what it is to the service.
    #[must_use]
    pub fn trusts(&self) -> Vec<(&'static str, PathBuf)> {
        let mut found = Vec::new();
        let mut program = |what: &'static str, argv: &Argv| {
            if let Some(first) = argv.first() {
                found.push((what, first.into()));
            }
        };
        program("the program", &self.exec);
        if let Some(argv) = &self.stop.command {
            program("the stop command", argv);
        }
        if let Some(reload) = &self.reload {
            if let ReloadAction::Command(argv) = &reload.action {
                program("the reload command", argv);
            }
            if let Some(argv) = &reload.check {
                program("the reload check", argv);
            }
        }
        if let Some(WatchAction::Command(argv)) = self.watch.as_ref().map(|watch| &watch.action) {
            program("the watch command", argv);
        }
        if let Some(Archive::Command(argv)) = &self.logs.archive {
            program("the archive command", argv);
        }
        let hooks = &self.hooks;
        let lists: [(&'static str, &[Hook]); 5] = [
            ("a pre_start hook", &hooks.pre_start),
            ("a post_start hook", &hooks.post_start),
            ("a pre_stop hook", &hooks.pre_stop),
            ("a post_stop hook", &hooks.post_stop),
            ("an event hook", &hooks.event),
        ];
        for (what, list) in lists {
            for hook in list {
                if let HookAction::Command(argv) = &hook.action {
                    program(what, argv);
                }
            }
        }
        let probes = self.wait_for.iter().map(|wait| &wait.probe);
        let ready = self.ready.as_ref().and_then(|ready| match &ready.when {
            ReadyWhen::Probe(probe) => Some(probe),
            _ => None,
        });
        let health = self.health.as_ref().and_then(|health| match &health.check {
            HealthCheck::Probe(probe) => Some(probe),
            HealthCheck::Heartbeat => None,
        });
        for probe in probes.chain(ready).chain(health) {
            if let Probe::Exec(argv) = probe {
                program("a check", argv);
            }
        }
        found.extend(self.env_files.iter().map(|file| ("an environment file", file.path.clone())));
        for secret in self.security.secrets.values() {
            if let Secret::File(path) = secret {
                found.push(("a secret", path.clone()));
            }
        }
        found
    }
}
