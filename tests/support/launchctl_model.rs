//! A model of launchd, for tests on Linux: a stand-in `launchctl`, and the daemon that answers it.
//!
//! It is built from documentation and from reports of what real Macs answered, not from Apple's code: what passes here is
//! *modelled*, never "verified on macOS". Sources: launchctl(1), launchd.plist(5), the open ProcursusTeam/launchctl, and
//! public captures of `launchctl print`. Where reports disagree there is a knob, see [`knobs`].
//!
//! * Processes are real: a job is started through a trampoline (as launchd's `xpcproxy`), in a session of its own.
//! * The definition is read once, at `bootstrap`; later edits of the file do not count.
//! * Whatever is not modelled (a verb, an option, a key of a plist) fails with exit code 70 and says so; it is never
//!   taken for done.
//!
//! Who calls the program decides what it is:
//! * `launchctl_model --daemon FOLDER` is launchd; it writes `ready` and lives as long as its standard input.
//! * `launchctl_model --xpcproxy SPEC` is the trampoline.
//! * `log` (a link of that name) reads the unified log, see [`log`].
//! * anything else is `launchctl`; it finds its daemon's folder by the folder of its own name (a link in there), or by
//!   `LAUNCHD_MODEL`. `LAUNCHD_MODEL_UID` lets a test play another account.
//! * `launchctl model ...` is for tests: see [`control`].

#[cfg(target_os = "linux")]
#[path = "launchctl_model/bootout.rs"]
mod bootout;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/bootstrap.rs"]
mod bootstrap;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/client.rs"]
mod client;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/codes.rs"]
mod codes;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/control.rs"]
mod control;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/daemon.rs"]
mod daemon;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/definition.rs"]
mod definition;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/disabled.rs"]
mod disabled;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/faults.rs"]
mod faults;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/job.rs"]
mod job;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/kickstart.rs"]
mod kickstart;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/knobs.rs"]
mod knobs;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/launchd.rs"]
mod launchd;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/legacy.rs"]
mod legacy;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/list.rs"]
mod list;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/log.rs"]
mod log;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/power.rs"]
mod power;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/predicate.rs"]
mod predicate;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/print.rs"]
mod print;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/proxy.rs"]
mod proxy;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/spawn.rs"]
mod spawn;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/target.rs"]
mod target;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/verbs.rs"]
mod verbs;
#[cfg(target_os = "linux")]
#[path = "launchctl_model/wire.rs"]
mod wire;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let second = |what: &str| args.get(1).is_some_and(|arg| arg == what).then(|| args.get(2).cloned()).flatten();
    if let Some(folder) = second("--daemon") {
        return match daemon::run(folder.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("launchd model: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if let Some(spec) = second("--xpcproxy") {
        return proxy::run(&spec.to_string_lossy());
    }
    // A second name of the program.
    let name = args.first().map(std::path::Path::new).and_then(std::path::Path::file_name);
    if name.is_some_and(|name| name == "log") {
        return log::run(&args);
    }
    client::run(&args)
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("the model of launchd runs on Linux only");
    ExitCode::FAILURE
}
