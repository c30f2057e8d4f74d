//! The language as a whole; each table's own rules are tested beside it or in `tests/golden/manifest-errors`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::decode::Table;
use super::service::ServiceTable;
use super::{ManifestErrors, ResolveDirs, parse, resolve};
use crate::backend::{BackendKind, Target};
use crate::facts::{Facts, PathKind};
use crate::key::Key;
use crate::layout::{Layout, Scope};
use crate::service::{Dependency, INSTANCE_MARK, ReadyWhen, RestartPolicy, ScheduleWhen, Service, StopSignal};

/// A machine with two programs and one variable.
struct Machine;

impl Facts for Machine {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "PORT" => Some("8080".to_owned()),
            "USER" => Some("me".to_owned()),
            _ => None,
        }
    }
    fn path(&self, _: &Path) -> Option<PathKind> {
        Some(PathKind::Missing)
    }
    fn open_to_all(&self, _: &Path) -> Option<bool> {
        None
    }
    fn program(&self, name: &str) -> Option<PathBuf> {
        (name == "sh").then(|| "/bin/sh".into())
    }
    fn user_exists(&self, _: &str) -> Option<bool> {
        Some(false)
    }
    fn group_exists(&self, _: &str) -> Option<bool> {
        Some(false)
    }
    fn local(&self) -> bool {
        true
    }
}

fn target(backend: BackendKind, os: &'static str, scope: Scope) -> Target {
    Target {
        backend,
        os,
        scope,
        version: None,
        layout: Layout::unix_system(),
        local: true,
        background: false,
        host_binary: "/usr/bin/daemonctl".into(),
    }
}

fn on(text: &str, target: &Target) -> Result<Vec<Service>, ManifestErrors> {
    let manifest = parse(text.as_bytes(), Path::new("m.toml"))?;
    resolve(&manifest, target, &Machine, &ResolveDirs { manifest_dir: "/srv/app".into() })
}

fn resolved(text: &str) -> Vec<Service> {
    on(text, &target(BackendKind::Systemd, "linux", Scope::System)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn faults(text: &str) -> Vec<String> {
    let errors = on(text, &target(BackendKind::Systemd, "linux", Scope::System)).unwrap_err();
    errors.errors().iter().map(|error| error.message.clone()).collect()
}

#[test]
fn the_keys_of_the_tables_are_the_keys_of_the_list() {
    let mut leaves = Vec::new();
    ServiceTable::key_leaves("", &mut leaves);
    leaves.push(Key::Native.path().to_owned());
    let known: BTreeSet<&str> = Key::ALL.iter().map(|key| key.path()).collect();
    assert_eq!(leaves.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    assert_eq!(leaves.len(), Key::ALL.len());
}

#[test]
fn a_name_and_a_command_are_a_manifest() {
    let services = resolved(include_str!("../../tests/data/hello.toml"));
    assert_eq!(services.len(), 1);
    let hello = &services[0];
    assert_eq!((hello.name.as_str(), hello.description.as_str()), ("hello", "hello"));
    assert_eq!(hello.exec, ["/srv/app/hello", "--port", "8080"]);
    assert_eq!(hello.restart.policy, RestartPolicy::OnFailure);
    assert_eq!(hello.stop.timeout, Duration::from_secs(30));
    assert!(hello.logs.native);
    let given: Vec<(Key, usize, usize)> = hello.given.iter().map(|(key, at)| (*key, at.line, at.column)).collect();
    assert_eq!(given, [(Key::Exec, 2, 1)]);
}

#[test]
fn the_documented_example_parses() {
    let full = include_str!("../../tests/data/full.toml");
    let manifest = parse(full.as_bytes(), Path::new("full.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(manifest.names().collect::<Vec<_>>(), ["web"]);
}

#[test]
fn layers_lie_over_one_another_key_by_key() {
    let text = r#"
        [defaults]
        env = { A = "defaults", B = "defaults" }
        restart = { policy = "always", delay = "3s" }
        ready = { tcp = "127.0.0.1:1", timeout = "7s" }
        [service.a]
        exec = ["/bin/a"]
        env = { B = "service", C = "service" }
        restart = { delay = "4s" }
        ready = { log = "up" }
        [service.a.on.linux]
        env = { C = "linux" }
        stop = { signal = "INT" }
        [service.a.on.systemd]
        stop = { signal = "HUP" }
        [service.a.on.windows]
        exec = ['C:\a.exe']
        stop = { signal = "ctrl-c" }
    "#;
    let services = resolved(text);
    let a = &services[0];
    let env: Vec<(&str, &str)> = a.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("A", "defaults"), ("B", "service"), ("C", "linux")]);
    assert_eq!((a.restart.policy, a.restart.delay), (RestartPolicy::Always, Duration::from_secs(4)));
    let ready = a.ready.as_ref().unwrap();
    assert_eq!((&ready.when, ready.timeout), (&ReadyWhen::Log("up".to_owned()), Duration::from_secs(7)));
    assert!(a.gives(Key::ReadyLog) && a.gives(Key::ReadyTimeout) && !a.gives(Key::ReadyTcp));
    assert_eq!(a.given[&Key::RestartPolicy].line, 4, "the position is that of the defaults");
    assert_eq!(a.stop.signal, StopSignal::Signal(crate::service::Signal::Hup), "a backend comes over its system");
    let windows = on(text, &target(BackendKind::Windows, "windows", Scope::System)).unwrap();
    assert_eq!((windows[0].exec[0].as_str(), windows[0].stop.signal), (r"C:\a.exe", StopSignal::CtrlC));
}

#[test]
fn texts_are_filled_in() {
    let text = r#"
        [service.a]
        exec = ["./a", "${env.PORT}", "${env.NONE:-none}", "$$x", "${name}-${instance}"]
        instances = ["blue", "green"]
        working_dir = "${state_dir}/x"
        env = { DIR = "${manifest_dir}", LOG = "${log_dir}" }
        hooks = { pre_start = "sh -c '${runtime_dir}'" }
        systemd = { Service = { Nice = 5, Slice = "${name}.slice" } }
    "#;
    let services = resolved(text);
    let a = &services[0];
    assert_eq!(a.exec, ["/srv/app/a", "8080", "none", "$x", &format!("a-{INSTANCE_MARK}")]);
    assert_eq!(a.units()[1].exec[4], "a-green");
    assert_eq!(a.units()[0].working_dir.as_deref(), Some(Path::new("/var/lib/daemonctl/data/a@blue/x")));
    assert_eq!(a.env["DIR"], "/srv/app");
    assert_eq!(a.units()[0].env["LOG"].replace('\\', "/"), "/var/log/daemonctl/a@blue");
    let crate::service::HookAction::Command(hook) = &a.hooks.pre_start[0].action else { panic!() };
    assert_eq!(hook[0], "/bin/sh", "a bare name is looked up");
    assert_eq!(a.native, serde_json::json!({ "Service": { "Nice": 5, "Slice": "a.slice" } }));
    assert!(a.gives(Key::Native));
}

#[test]
fn dependencies_come_first() {
    let text = r#"
        [service.web]
        exec = ["/bin/web"]
        requires = ["db"]
        after = ["network-online.target"]
        [service.other]
        exec = ["/bin/other"]
        [service.db]
        exec = ["/bin/db"]
    "#;
    let services = resolved(text);
    let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["db", "web", "other"]);
    assert_eq!(services[1].requires, [Dependency::Service("db".to_owned())]);
    assert_eq!(services[1].after, [Dependency::Foreign("network-online.target".to_owned())]);
}

#[test]
fn a_task_has_a_schedule() {
    let services = resolved("[service.a]\nexec = 'a'\ntype = 'task'\nschedule = { every = '15m' }");
    assert_eq!(services[0].schedule.as_ref().unwrap().when, ScheduleWhen::Every(Duration::from_secs(900)));
    assert_eq!(services[0].restart.policy, RestartPolicy::Never);
    assert_eq!(faults("[service.a]\nexec = 'a'\ntype = 'task'"), ["a task needs a schedule"]);
}

#[test]
fn nobody_is_somebody_else_in_user_scope() {
    let user = target(BackendKind::Systemd, "linux", Scope::User);
    let refused = on("[service.a]\nexec = 'a'\nuser = 'root'", &user).unwrap_err();
    assert_eq!(refused.errors()[0].message, "`user` cannot be chosen in user scope");
    let own = on("[service.a]\nexec = 'a'\nuser = 'me'", &user).unwrap();
    assert_eq!((own[0].user.as_deref(), own[0].gives(Key::User)), (None, false));
}

#[test]
fn everything_is_told_at_once() {
    let text = "[service.a]\nexce = ['a']\nstart = 'late'\n[service.b]\nexec = 'x | y'\nafter = ['c']\n[service.c]\nexec = 'c'\nafter = ['b']\nrestart = { delay = 5 }\n";
    let found = faults(text);
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn an_error_has_the_exit_code_of_manifests() {
    let errors = parse(b"", Path::new("m.toml")).unwrap_err();
    let error = crate::Error::from(errors);
    assert_eq!(error.exit(), crate::Exit::Manifest);
    assert!(error.to_string().starts_with("the manifest is empty\n"), "{error}");
    assert_eq!(error.manifest_errors().unwrap().json()[0].line, 1);
}

#[test]
fn machines_are_told_of_the_other_place_too() {
    let text = "[service.a]\nexec = 'a'\nlogs = { to = ['file'], max_size = '9MiB', total = '1MiB' }\n";
    let told = on(text, &target(BackendKind::Systemd, "linux", Scope::System)).unwrap_err().json();
    let related = told.iter().flat_map(|fault| &fault.related).next();
    assert_eq!(related.map(|at| (at.line, at.message.as_str())), Some((3, "the size of one file")), "{told:#?}");
}

fn any_manifest(text: &[u8]) {
    let made = parse(text, Path::new("m.toml")).and_then(|manifest| {
        let target = target(BackendKind::Systemd, "linux", Scope::System);
        resolve(&manifest, &target, &Machine, &ResolveDirs { manifest_dir: "/".into() })
    });
    if let Err(errors) = made {
        assert!(!errors.errors().is_empty());
        assert!(!errors.render(true).is_empty());
        assert_eq!(errors.json().len(), errors.errors().len());
    }
}

/// A word of the language, or something else.
fn token() -> impl Strategy<Value = String> {
    let keys: Vec<String> = Key::ALL.iter().flat_map(|key| key.path().split('.')).map(str::to_owned).collect();
    let marks = [
        "[",
        "]",
        "[[",
        "{",
        "}",
        "=",
        ",",
        "\n",
        "\"",
        "'",
        "\"\"\"",
        ".",
        "[service.a]\n",
        "[service.a.on.linux]\n",
        "[defaults]\n",
        "1",
        "1.5",
        "true",
        "\"5s\"",
        "\"${name}\"",
        "\"${\"",
        "[\"a\"]",
        "{}",
        "ä",
        "\u{feff}",
        "\u{e000}",
        "#",
    ];
    prop_oneof![
        proptest::sample::select(keys),
        proptest::sample::select(marks.map(str::to_owned).to_vec()),
        "\\PC{0,3}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        any_manifest(&bytes);
    }

    #[test]
    fn any_words_are_answered(words in proptest::collection::vec(token(), 0..60)) {
        any_manifest(words.join(" ").as_bytes());
        any_manifest(words.concat().as_bytes());
    }

    #[test]
    fn any_value_of_any_key_is_answered(key in proptest::sample::select(Key::ALL.to_vec()), value in token(), other in token()) {
        any_manifest(format!("[service.a]\nexec = ['a']\n{} = {value}\n", key.path()).as_bytes());
        any_manifest(format!("[service.a]\nexec = ['a']\n{} = [{value}, {other}]\n", key.path()).as_bytes());
    }
}
