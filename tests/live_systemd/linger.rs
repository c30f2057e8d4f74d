//! Lingering: switched on with a word, off again with the last service, and where the machine does not grant it the
//! services run all the same, and the operator is told who can.
//!
//! A user of the test's own, whose manager runs without a login, so that it ends with lingering.

use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Test, Where, eventually, program};

const USER: &str = "dctl-linger";
const UID: u32 = 4311;

/// Has the user's manager run, as a login that is over by now would have left it with lingering.
fn log_in() {
    let unit = format!("user@{UID}.service");
    done(Command::new("systemctl").args(["start", &unit]));
    let bus = format!("/run/user/{UID}/bus");
    eventually("the user's bus", || Path::new(&bus).exists());
}

struct User<'t>(&'t Test);

impl<'t> User<'t> {
    fn new(t: &'t Test) -> Self {
        let uid = UID.to_string();
        // Its groups are its own; the box goes after the tests.
        done(Command::new("useradd").args(["--create-home", "--uid", &uid, USER]));
        let user = Self(t);
        log_in();
        user
    }

    fn run(&self, args: &[&str]) -> Ran {
        let id = |what: &str| format!("--{what}={UID}");
        let mut command = Command::new("setpriv");
        command.args([&id("reuid"), &id("regid"), "--init-groups", "--reset-env", "env"]);
        command.args([&format!("HOME=/home/{USER}"), &format!("XDG_RUNTIME_DIR=/run/user/{UID}")]);
        command.arg(program()).args(args.iter().map(|arg| self.0.fill(arg))).current_dir(&self.0.dir);
        Ran::of(command, args)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        // The test has its verdict; what is left is the box's.
        let _ = Command::new("loginctl").args(["disable-linger", USER]).status();
        let _ = Command::new("systemctl").args(["stop", &format!("user@{UID}.service")]).status();
        let _ = Command::new("userdel").args(["--force", "--remove", USER]).output();
    }
}

#[track_caller]
fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn lingers() -> bool {
    Path::new("/var/lib/systemd/linger").join(USER).exists()
}

/// Only root can say what another user may, and only once: both parts are one test.
#[test]
fn granted_and_refused() {
    let Some(t) = Test::live("linger") else { return };
    if t.place != Where::Systemd {
        return;
    }
    let user = User::new(&t);
    t.manifest("[service.{p}a]\nexec = [\"{child}\", \"sleep\"]\n");

    user.run(&["--user", "install", "manifest.toml"]).ok().says("lingering was switched on");
    assert!(lingers());
    // Its manager ends with the uninstall, which is no failure of it.
    user.run(&["--user", "uninstall", "{p}a"]).ok().says("removed").says("was switched off");
    assert!(!lingers());
    let unit = format!("user@{UID}.service");
    eventually("the end of the user's manager", || {
        !Command::new("systemctl").args(["is-active", "--quiet", &unit]).status().unwrap().success()
    });
    log_in();

    let rule = Path::new("/etc/polkit-1/rules.d/00-daemonctl-test.rules");
    std::fs::create_dir_all(rule.parent().unwrap()).unwrap();
    let refuse = format!(
        "polkit.addRule(function(action, subject) {{\n  if (action.id == \"org.freedesktop.login1.set-self-linger\" && \
         subject.user == \"{USER}\") return polkit.Result.NO;\n}});\n"
    );
    std::fs::write(rule, refuse).unwrap();
    // What polkit has read before is read anew by the next one.
    let _ = Command::new("systemctl").args(["stop", "polkit.service"]).status();
    let ran = user.run(&["--user", "install", "manifest.toml"]).ok();
    let ran = ran.says("the services end with the login").says(&format!("`loginctl enable-linger {USER}`"));
    assert!(!lingers(), "{ran}");
    user.run(&["--user", "status", "{p}a"]).ok();
    // What daemonctl did not switch on it does not switch off.
    let ran = user.run(&["--user", "uninstall", "{p}a"]).ok();
    assert!(!ran.stdout.contains("switched off"), "{ran}");
    std::fs::remove_file(rule).unwrap();
}
