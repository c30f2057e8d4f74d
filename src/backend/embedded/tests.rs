use std::collections::BTreeMap;

use super::*;
use crate::backend::Body;
use crate::service::{Dependency, KillScope, LogFormat, Profile, Secret, Service, Signal, Start, StopSignal};

fn target() -> Target {
    Target::elsewhere(BackendKind::Embedded, Scope::System)
}

fn service() -> Service {
    let json = serde_json::json!({
        "name": "web", "instances": [], "instance": null, "description": "web", "display_name": null, "label": null,
        "documentation": [], "exec": ["/bin/web"], "working_dir": null, "user": null, "group": null, "umask": null,
        "env": {}, "env_files": [], "start": "boot", "host": "auto", "kind": "service", "after": [], "requires": [],
        "wants": [], "wait_for": [], "ready": null, "health": null,
        "restart": { "policy": "always", "delay": { "secs": 1, "nanos": 0 }, "factor": 2.0,
            "max_delay": { "secs": 60, "nanos": 0 }, "jitter": 0.0, "limit": null,
            "reset_after": { "secs": 600, "nanos": 0 }, "success_codes": [], "prevent_codes": [] },
        "stop": { "command": null, "signal": { "signal": "TERM" }, "timeout": { "secs": 10, "nanos": 0 }, "kill": "tree" },
        "reload": null, "watch": null,
        "logs": { "native": true, "file": null, "format": "raw", "max_size": null, "max_age": null, "keep": null,
            "total": null, "compress": "none", "archive": null },
        "limits": { "memory": null, "cpu": null, "tasks": null, "open_files": null, "priority": null },
        "security": { "profile": "none", "read_write": [], "capabilities": null, "secrets": {} },
        "hooks": { "pre_start": [], "post_start": [], "pre_stop": [], "post_stop": [], "event": [] },
        "schedule": null, "native": null, "given": {}
    });
    serde_json::from_value(json).expect("a service")
}

/// A layout joins its paths as the system that it is rendered on does.
fn slashed(path: &std::path::Path) -> String {
    path.display().to_string().replace('\\', "/")
}

#[test]
fn a_spec_a_unit_and_a_marker_for_those_that_start_by_themselves() {
    let mut web = service();
    web.instances = vec!["a".into(), "b".into()];
    let artifacts = Embedded.render(&web, Hosting::Hosted, &target()).expect("rendered");
    let paths: Vec<_> = artifacts.iter().map(|artifact| slashed(&artifact.path)).collect();
    assert_eq!(
        paths,
        [
            "/var/lib/daemonctl/specs/web@a.json",
            "/var/lib/daemonctl/enabled/web@a",
            "/var/lib/daemonctl/specs/web@b.json",
            "/var/lib/daemonctl/enabled/web@b"
        ]
    );
    let Body::File { content, mode: 0o600, definition: true } = &artifacts[0].body else {
        panic!("a 0600 definition: {:?}", artifacts[0].body);
    };
    let spec: Service = serde_json::from_slice(content).expect("a spec");
    assert_eq!((spec.id(), spec.logs.format), ("web@a".into(), LogFormat::Timestamped));
    web.start = Start::Manual;
    let manual = Embedded.render(&web, Hosting::Hosted, &target()).expect("rendered");
    assert_eq!(manual.len(), 2);
    assert_eq!(manual[0], artifacts[0], "enable and disable change no spec");
}

#[test]
fn secrets_of_the_moment_become_files_of_their_own() {
    let mut web = service();
    web.security.secrets =
        BTreeMap::from([("A".into(), Secret::Env("TOKEN".into())), ("B".into(), Secret::File("/etc/b".into()))]);
    let artifacts = Embedded.render(&web, Hosting::Hosted, &target()).expect("rendered");
    assert!(matches!(&artifacts[0].body, Body::Secrets { entries, .. } if entries.len() == 1));
    let Body::File { content, .. } = &artifacts[1].body else { panic!("the spec") };
    let spec: Service = serde_json::from_slice(content).expect("a spec");
    assert_eq!(spec.security.secrets["A"], Secret::File(artifacts[0].path.clone()));
    assert_eq!(spec.security.secrets["B"], Secret::File("/etc/b".into()));
}

#[test]
fn every_refusal_has_a_remedy_and_what_is_not_built_is_refused() {
    let mut web = service();
    web.after = vec![Dependency::Foreign("network.target".into())];
    web.security.profile = Profile::Strict;
    assert!(matches!(Embedded.answer(Key::SecurityProfile, Some(&web), &target()), Answer::Native(_)));
    let user = Target { scope: Scope::User, ..target() };
    let mut refused = Vec::new();
    for key in Key::ALL {
        if let Answer::Refused { why, remedy } = Embedded.answer(*key, Some(&web), &user) {
            assert!(!why.is_empty() && !remedy.is_empty(), "{}", key.path());
            refused.push(key.path());
        }
    }
    for key in ["after", "security.profile"] {
        assert!(refused.contains(&key), "{key}");
    }
    assert!(!refused.contains(&"restart.policy") && !refused.contains(&"watch.paths"));
    web.security.profile = Profile::Standard;
    assert!(matches!(Embedded.answer(Key::SecurityProfile, Some(&web), &target()), Answer::Native(_)));
    web.exec = vec!["/tmp/web".into()];
    assert!(matches!(Embedded.answer(Key::SecurityProfile, Some(&web), &target()), Answer::Refused { .. }));
    assert!(matches!(Embedded.answer(Key::SecurityProfile, Some(&web), &user), Answer::Native(_)));
    assert!(matches!(Embedded.answer(Key::SecurityCapabilities, Some(&web), &user), Answer::Refused { .. }));
    let bsd = Target { os: "freebsd", ..target() };
    assert!(matches!(Embedded.answer(Key::WatchPaths, None, &bsd), Answer::Native(_)), "by kqueue");
    assert!(matches!(Embedded.answer(Key::LimitsMemory, None, &bsd), Answer::Refused { .. }));
}

#[test]
fn on_windows_what_processes_there_do_not_have_is_refused() {
    let mut web = service();
    web.stop.signal = StopSignal::CtrlC;
    let refused = |web: &Service, scope| {
        let target = Target { os: "windows", scope, ..target() };
        let keys =
            Key::ALL.iter().filter(|key| matches!(Embedded.answer(**key, Some(web), &target), Answer::Refused { .. }));
        keys.map(|key| key.path()).collect::<Vec<_>>()
    };
    let never = ["group", "limits.open_files", "reload.signal", "security.capabilities", "umask", "user"];
    for scope in [Scope::System, Scope::User] {
        let mut found = refused(&web, scope);
        found.sort_unstable();
        assert_eq!(found, never);
    }
    web.stop.signal = StopSignal::Signal(Signal::Term);
    web.stop.kill = KillScope::Group;
    let found = refused(&web, Scope::User);
    assert!(found.contains(&"stop.signal") && found.contains(&"stop.kill"), "{found:?}");
}
