//! Whether what the services name is on this machine, before anything is changed. Pure: the machine is seen through
//! [`Facts`], and of another machine nothing is known, so nothing is said.

use std::collections::HashSet;
use std::path::Path;

use crate::facts::{Facts, PathKind};
use crate::key::Key;
use crate::layout::Layout;
use crate::manifest::{ManifestError, Span, folders};
use crate::service::{
    Archive, HealthCheck, Hook, HookAction, INSTANCE_MARK, Probe, ReadyWhen, ReloadAction, Secret, Service, WatchAction,
};

/// Everything that is missing: programs, folders, files of variables, accounts. Exit code 6.
#[must_use]
pub fn check(services: &[Service], facts: &dyn Facts, layout: &Layout) -> Vec<ManifestError> {
    if !facts.local() {
        return Vec::new();
    }
    let mut look = Look { facts, layout, errors: Vec::new(), fine: HashSet::new() };
    for service in services {
        look.service(service);
    }
    look.errors
}

struct Look<'a> {
    facts: &'a dyn Facts,
    layout: &'a Layout,
    errors: Vec<ManifestError>,
    /// Programs that were looked at and found: a thousand services often share one.
    fine: HashSet<String>,
}

impl Look<'_> {
    fn service(&mut self, service: &Service) {
        self.program(service, Key::Exec, &service.exec);
        self.accounts(service);
        self.places(service);
        self.checks(service);
        let stop = &service.stop;
        if let Some(command) = &stop.command {
            self.program(service, Key::StopCommand, command);
        }
        if let Some(reload) = &service.reload {
            if let ReloadAction::Command(command) = &reload.action {
                self.program(service, Key::ReloadCommand, command);
            }
            if let Some(check) = &reload.check {
                self.program(service, Key::ReloadCheck, check);
            }
        }
        if let Some(WatchAction::Command(command)) = service.watch.as_ref().map(|watch| &watch.action) {
            self.program(service, Key::WatchCommand, command);
        }
        if let Some(Archive::Command(command)) = &service.logs.archive {
            self.program(service, Key::LogsArchive, command);
        }
        let hooks = &service.hooks;
        let lists = [
            (Key::HooksPreStart, &hooks.pre_start),
            (Key::HooksPostStart, &hooks.post_start),
            (Key::HooksPreStop, &hooks.pre_stop),
            (Key::HooksPostStop, &hooks.post_stop),
            (Key::HooksEvent, &hooks.event),
        ];
        for (key, Hook { action, secret, .. }) in
            lists.iter().flat_map(|(key, list)| list.iter().map(move |hook| (*key, hook)))
        {
            if let HookAction::Command(command) = action {
                self.program(service, key, command);
            }
            match secret {
                Some(Secret::Command(command)) => self.program(service, key, command),
                Some(Secret::File(path)) => self.key(service, key, path),
                Some(Secret::Env(_) | Secret::Credential(_)) | None => {}
            }
        }
        for secret in service.security.secrets.values() {
            match secret {
                Secret::Command(command) => self.program(service, Key::SecuritySecrets, command),
                Secret::File(path) => self.file(service, Key::SecuritySecrets, path, "the secret's file"),
                Secret::Env(_) | Secret::Credential(_) => {}
            }
        }
    }

    fn checks(&mut self, service: &Service) {
        if let Some(ReadyWhen::Probe(Probe::Exec(command))) = service.ready.as_ref().map(|ready| &ready.when) {
            self.program(service, Key::ReadyExec, command);
        }
        if let Some(HealthCheck::Probe(Probe::Exec(command))) = service.health.as_ref().map(|health| &health.check) {
            self.program(service, Key::HealthExec, command);
        }
        for wait in &service.wait_for {
            if let Probe::Exec(command) = &wait.probe {
                self.program(service, Key::WaitFor, command);
            }
        }
    }

    fn places(&mut self, service: &Service) {
        if let Some(folder) = &service.working_dir {
            let made_by_install = folders(service, self.layout).iter().any(|made| folder.starts_with(made));
            for folder in instances_of(service, &folder.to_string_lossy()) {
                let why = match self.facts.path(Path::new(&folder)) {
                    Some(PathKind::Missing) if !made_by_install => "does not exist",
                    Some(PathKind::File | PathKind::Executable | PathKind::Other) => "is no folder",
                    _ => continue,
                };
                self.errors.push(
                    fault(service, Key::WorkingDir, format!("the folder `{folder}` {why}"))
                        .hint(format!("make it: `mkdir -p {folder}`")),
                );
            }
        }
        for file in service.env_files.iter().filter(|file| !file.optional) {
            self.file(service, Key::EnvFile, &file.path, "the file");
        }
    }

    fn file(&mut self, service: &Service, key: Key, path: &Path, what: &str) {
        for path in instances_of(service, &path.to_string_lossy()) {
            let why = match self.facts.path(Path::new(&path)) {
                Some(PathKind::Missing) => "does not exist",
                Some(PathKind::Folder) => "is a folder",
                _ => continue,
            };
            let error = fault(service, key, format!("{what} `{path}` {why}"));
            let remedy = if key == Key::EnvFile {
                "write it, or say that it may be missing: `{ path = \"...\", optional = true }`"
            } else {
                "write it"
            };
            self.errors.push(error.hint(remedy));
        }
    }

    /// What a webhook is signed with: one that everybody knows proves nothing, and would be refused at the first event.
    fn key(&mut self, service: &Service, key: Key, path: &Path) {
        self.file(service, key, path, "the secret's file");
        for path in instances_of(service, &path.to_string_lossy()) {
            if self.facts.open_to_all(Path::new(&path)) == Some(true) {
                let error = fault(service, key, format!("the secret's file `{path}` is open to everybody"));
                self.errors.push(error.hint(format!("`chmod 0600 {path}`")));
            }
        }
    }

    fn accounts(&mut self, service: &Service) {
        if let Some(user) = &service.user
            && self.facts.user_exists(user) == Some(false)
        {
            let error = fault(service, Key::User, format!("there is no user `{user}`"));
            self.errors.push(error.hint(match user.parse::<u32>() {
                Ok(_) => "no account has this number: make one that has, or name another".to_owned(),
                Err(_) => format!("make it: `useradd --system --shell /usr/sbin/nologin {user}`, or name another"),
            }));
        }
        if let Some(group) = &service.group
            && self.facts.group_exists(group) == Some(false)
        {
            let error = fault(service, Key::Group, format!("there is no group `{group}`"));
            self.errors.push(error.hint(match group.parse::<u32>() {
                Ok(_) => "no group has this number: make one that has, or name another".to_owned(),
                Err(_) => format!("make it: `groupadd --system {group}`, or name another"),
            }));
        }
    }

    fn program(&mut self, service: &Service, key: Key, argv: &[String]) {
        let Some(program) = argv.first() else { return };
        for program in instances_of(service, program) {
            if !self.fine.contains(&program) {
                self.one_program(service, key, program);
            }
        }
    }

    fn one_program(&mut self, service: &Service, key: Key, program: String) {
        if !Path::new(&program).is_absolute() {
            let error =
                fault(service, key, format!("the program `{program}` is not in any folder that services search"));
            self.errors.push(
                error.hint(format!("install it, give its path, or write `./{program}` for one beside the manifest")),
            );
            return;
        }
        let (why, remedy) = match self.facts.path(Path::new(&program)) {
            Some(PathKind::Missing) => ("does not exist", "a relative path begins at the manifest's folder".to_owned()),
            Some(PathKind::File) => (
                "is not executable",
                format!("`chmod +x {program}`, or name its interpreter first: [\"sh\", \"{program}\"]"),
            ),
            Some(PathKind::Folder) => ("is a folder", "name the program in it".to_owned()),
            Some(PathKind::Other) => ("is no regular file", "name a program".to_owned()),
            Some(PathKind::Executable | PathKind::Unreadable) | None => {
                self.fine.insert(program);
                return;
            }
        };
        self.errors.push(fault(service, key, format!("the program `{program}` {why}")).hint(remedy));
    }
}

/// The text for each instance, where it differs from one to the next.
fn instances_of(service: &Service, text: &str) -> Vec<String> {
    if !text.contains(INSTANCE_MARK) || service.instances.is_empty() {
        return vec![text.to_owned()];
    }
    service.instances.iter().map(|instance| text.replace(INSTANCE_MARK, instance)).collect()
}

fn fault(service: &Service, key: Key, message: String) -> ManifestError {
    let at = service.given.get(&key).map_or_else(Span::default, |position| Span::from(*position));
    ManifestError::new(at, message).expected(format!("`{}` of the service `{}`", key.path(), service.name))
}

// The machine of these has the paths of a Unix.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::backend::{BackendKind, Target};
    use crate::layout::Scope;
    use crate::manifest::{ResolveDirs, parse, resolve};

    /// A machine that has what its paths say: `/bin/...` runs, `/etc/...` is a file, `/srv` is a folder.
    struct Machine;

    impl Facts for Machine {
        fn env(&self, _: &str) -> Option<String> {
            None
        }
        fn path(&self, path: &Path) -> Option<PathKind> {
            Some(match path.to_str().unwrap_or_default() {
                path if path.starts_with("/bin/") => PathKind::Executable,
                path if path.starts_with("/etc/") => PathKind::File,
                "/srv" => PathKind::Folder,
                _ => PathKind::Missing,
            })
        }
        fn open_to_all(&self, path: &Path) -> Option<bool> {
            Some(path.ends_with("open"))
        }
        fn program(&self, name: &str) -> Option<PathBuf> {
            (name == "sh").then(|| "/bin/sh".into())
        }
        fn user_exists(&self, name: &str) -> Option<bool> {
            Some(name == "web")
        }
        fn group_exists(&self, name: &str) -> Option<bool> {
            Some(name == "web")
        }
        fn local(&self) -> bool {
            true
        }
    }

    fn faults(keys: &str) -> Vec<String> {
        let target = Target { local: true, ..Target::elsewhere(BackendKind::Systemd, Scope::System) };
        let text = format!("[service.a]\n{keys}\n");
        let manifest = parse(text.as_bytes(), Path::new("m.toml")).unwrap();
        let services = resolve(&manifest, &target, &Machine, &ResolveDirs { manifest_dir: "/srv".into() }).unwrap();
        let errors = check(&services, &Machine, &target.layout);
        assert!(errors.iter().all(|error| error.at != Span::default() && error.hint.is_some()), "{errors:?}");
        errors.into_iter().map(|error| error.message).collect()
    }

    #[test]
    fn what_is_there_is_fine() {
        assert!(
            faults(
                "exec = ['sh', '-c', 'x']\nuser = 'web'\ngroup = 'web'\nworking_dir = '/srv'\nenv_file = ['/etc/x']"
            )
            .is_empty()
        );
        assert!(
            faults("exec = 'sh'\nenv_file = [{ path = '/none', optional = true }]\nworking_dir = '${state_dir}'")
                .is_empty()
        );
    }

    #[test]
    fn programs() {
        assert_eq!(faults("exec = ['/none/x']"), ["the program `/none/x` does not exist"]);
        assert_eq!(faults("exec = ['x']"), ["the program `x` is not in any folder that services search"]);
        assert_eq!(faults("exec = ['/etc/x']"), ["the program `/etc/x` is not executable"]);
        assert_eq!(faults("exec = ['/srv']"), ["the program `/srv` is a folder"]);
        let keys = "exec = ['sh']\nhooks = { pre_start = ['./a'] }\nstop = { command = ['./b'] }\nhealth = { exec = './c' }\n\
                    reload = { signal = 'HUP', check = './d' }\nwait_for = [{ exec = './e' }]\nready = { exec = './f' }";
        let mut found = faults(keys);
        found.sort();
        let expected: Vec<String> =
            "abcdef".chars().map(|name| format!("the program `/srv/{name}` does not exist")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn places_and_accounts() {
        let keys = "exec = 'sh'\nuser = 'no'\ngroup = 'no'\nworking_dir = '/none'\nenv_file = ['/none.env', '/srv']";
        assert_eq!(
            faults(keys),
            [
                "there is no user `no`",
                "there is no group `no`",
                "the folder `/none` does not exist",
                "the file `/none.env` does not exist",
                "the file `/srv` is a folder",
            ]
        );
    }

    #[test]
    fn what_signs_webhooks_is_nobody_elses() {
        let hook = |key: &str| {
            format!(
                "exec = 'sh'\nhooks = {{ event = [{{ webhook = 'https://a.b/c', secret = {{ file = '/etc/{key}' }} }}] }}"
            )
        };
        assert!(faults(&hook("key")).is_empty());
        assert_eq!(faults(&hook("open")), ["the secret's file `/etc/open` is open to everybody"]);
        // A service's own secret is its own affair: its file may be anybody's.
        assert!(faults("exec = 'sh'\nsecurity = { secrets = { A = { file = '/etc/open' } } }").is_empty());
    }

    #[test]
    fn each_instance_is_looked_at() {
        let found = faults("exec = 'sh'\ninstances = ['x', 'y']\nenv_file = ['/etc/${instance}', '/none/${instance}']");
        assert_eq!(found, ["the file `/none/x` does not exist", "the file `/none/y` does not exist"]);
    }
}
