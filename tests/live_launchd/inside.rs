//! A command that a service runs on itself: launchd ends the service's process group, and the command must live to bring the
//! service back.

use std::process::Command;

use crate::support::{Test, eventually};

/// A command as a line of a shell, with its variables.
fn line(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap());
    let set = command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, quoted(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    set.chain(words).collect::<Vec<_>>().join(" ")
}

/// Installs a service that restarts itself when the file `go` is there, and then once more is told to.
fn installed(t: &Test, keys: &str) -> i32 {
    let restart = line(&t.command(&["restart", "{p}a"]));
    t.write(
        "run.sh",
        &format!("while [ ! -e {{dir}}/run/go ]; do sleep 0.05; done\nrm {{dir}}/run/go\n{restart}\nexec sleep 1000\n"),
    );
    t.manifest(&format!("[service.{{p}}a]\nexec = [\"/bin/sh\", \"{{dir}}/run.sh\"]\n{keys}\n"));
    t.install().ok();
    t.pid("{p}a")
}

#[test]
fn a_service_that_restarts_itself_comes_back() {
    let Some(t) = Test::live("inside") else { return };
    // Nothing but the command starts it again.
    let first = installed(&t, "restart = { policy = \"never\" }");
    assert_eq!(t.status("{p}a")["hosted"], false);
    t.write("run/go", "");
    t.wait_for("{p}a", |status| {
        status["state"] == "running"
            && status["pid"].as_u64().is_some_and(|pid| pid != u64::from(first.cast_unsigned()))
    });
    eventually("the command has come to its end", || t.run(&["logs", "{p}a"]).stdout.contains("restarted"));
    t.run(&["stop", "{p}a"]).ok();
    assert!(t.job("a").is_null());
}

#[test]
fn a_hosted_one_is_told_that_it_cannot() {
    let Some(t) = Test::live("inside_hosted") else { return };
    let first = installed(&t, "host = \"always\"");
    t.write("run/go", "");
    eventually("the command is refused", || t.run(&["logs", "{p}a"]).stdout.contains("this command runs inside it"));
    assert_eq!(t.pid("{p}a"), first, "it must run on");
}
