//! `install` of another build of daemonctl makes the running supervisor that build, in place.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Test, eventually, lives, program};

/// Another build: the same program but for the number that tells builds apart, wherever that stands in it.
fn another_build(to: &Path) -> PathBuf {
    let build = env!("DAEMONCTL_BUILD").as_bytes();
    let mut bytes = std::fs::read(program()).unwrap();
    let places: Vec<usize> =
        bytes.windows(build.len()).enumerate().filter(|(_, window)| *window == build).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the build's number is not in the program");
    for at in places {
        let digit = if bytes[at] == b'0' { b'1' } else { b'0' };
        bytes[at] = digit;
    }
    std::fs::write(to, bytes).unwrap();
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755)).unwrap();
    to.to_owned()
}

#[test]
fn the_supervisor_becomes_the_new_build_and_services_notice_nothing() {
    let t = Test::home("upgrade");
    let manifest = |name: &str| format!("[service.{{p}}{name}]\nexec = [\"{{child}}\", \"sleep\"]\n");
    t.manifest(&manifest("a"));
    t.install().ok();
    let main = t.pid("{p}a");
    let state = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(t.runtime().join("state.json")).unwrap()).unwrap()
    };
    let supervisor = i32::try_from(state()["supervisor"]["pid"].as_i64().unwrap()).unwrap();
    let runs = || std::fs::read_link(format!("/proc/{supervisor}/exe")).unwrap();
    let before = runs();

    let new = another_build(&t.path("daemonctl-new"));
    t.manifest(&(manifest("a") + &manifest("b")));
    let mut command = t.command(&["install", "manifest.toml"]);
    let args: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let envs: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = Command::new(new);
    command.args(args).current_dir(&t.dir);
    for (name, value) in envs {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    eventually("the supervisor is another program", || runs() != before);
    assert!(runs().starts_with(t.state()), "a copy of its own: {}", runs().display());
    assert!(lives(supervisor), "the same process");
    assert_eq!(t.pid("{p}a"), main, "the service was not touched");
    t.pid("{p}b");
    assert_eq!(t.status("{p}a")["restarts"], 0);
    // Its end is still told with its exit code: it is a child of the same process.
    crate::support::signal(main, nix::sys::signal::Signal::SIGKILL);
    let status = t.wait_for("{p}a", |status| status["state"] == "running" && status["restarts"] == 1);
    assert_eq!(status["last_exit"]["signal"], "KILL", "{status:#}");
}
