//! Credentials are files that only the service may read, for as long as it is up.

use std::os::unix::fs::PermissionsExt as _;

use daemonctl::report::{Effect, State};
use daemonctl::service::{Hook, HookAction, HookFailure, Secret};

use super::support::*;

#[test]
fn they_are_there_for_hooks_and_service_and_gone_with_it() {
    let mut supervisor = Supervisor::start();
    let (source, out) = (supervisor.file("source"), supervisor.file("out"));
    std::fs::write(&source, b"se\xffcret\n").expect("write");
    let show = "cat \"$CREDENTIALS_DIRECTORY/KEY\" > \"$0.$1\"; echo \"$CREDENTIALS_DIRECTORY\" > \"$0\"";
    let argv = |script: &str, who: &str| {
        let mut argv = sh(script);
        argv.extend([out.display().to_string(), who.to_owned()]);
        argv
    };
    let mut web = service("web", argv(&format!("{show}; exec sleep 1000"), "main"));
    let action = HookAction::Command(argv(show, "hook"));
    let timeout = std::time::Duration::from_secs(60);
    web.hooks.pre_start = vec![Hook { action, timeout, on_failure: HookFailure::Abort, secret: None }];
    web.security.secrets.insert("KEY".into(), Secret::Credential(source.display().to_string()));
    supervisor.install(&web);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    let got = |who: &str| std::fs::read(supervisor.file(&format!("out.{who}"))).unwrap_or_default();
    until(|| got("main") == b"se\xffcret\n").expect("byte for byte");
    assert_eq!(got("hook"), b"se\xffcret\n");
    let folder = || std::path::PathBuf::from(std::fs::read_to_string(&out).unwrap_or_default().trim());
    until(|| folder().is_absolute()).expect("the folder's name");
    let folder = folder();
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o7777;
    assert_eq!((mode(&folder), mode(&folder.join("KEY"))), (0o700, 0o400));

    supervisor.kill();
    supervisor.start_again();
    supervisor.wait_state("web", State::Running);
    assert!(folder.join("KEY").exists(), "the service lives on, and so do they");
    // The next run has what is there then.
    std::fs::write(&source, "another").expect("write");
    signal(supervisor.main_pid("web"), libc::SIGKILL);
    let got = |who: &str| std::fs::read(supervisor.file(&format!("out.{who}"))).unwrap_or_default();
    until(|| got("main") == b"another").expect("the new one");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(!folder.exists(), "nobody needs them any more");
}

#[test]
fn one_that_is_missing_is_named() {
    let supervisor = Supervisor::start();
    let mut web = service("web", child(&["sleep"]));
    web.security.secrets.insert("KEY".into(), Secret::Credential("/nonexistent/key".into()));
    supervisor.install(&web);
    let trouble = supervisor.start_unit("web").expect_err("it has no key");
    assert!(trouble.message.contains("`KEY` from `/nonexistent/key`"), "{trouble:?}");
    supervisor.stop_unit("web").expect("stopped");
}
