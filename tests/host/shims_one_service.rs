//! `daemonctl host`: one service under a service manager.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use daemonctl::service::{LogFile, Reload, ReloadAction, Restart, RestartLimit, RestartPolicy, Service, Signal};

use super::support::*;

struct Shim {
    folder: tempfile::TempDir,
    above: UnixDatagram,
}

impl Shim {
    fn new(service: &Service) -> Self {
        let folder = tempfile::Builder::new().prefix("dctl").tempdir().expect("a folder");
        std::fs::write(folder.path().join("spec.json"), serde_json::to_vec(service).expect("JSON")).expect("write");
        let above = UnixDatagram::bind(folder.path().join("above")).expect("a socket");
        above.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Self { folder, above }
    }

    fn run(&self) -> Child {
        Command::new(std::env::current_exe().expect("this test"))
            .args(["shim_process", "--exact", "--ignored", "--nocapture"])
            .env("DAEMONCTL_TEST_FOLDER", self.folder.path())
            .env("NOTIFY_SOCKET", self.folder.path().join("above"))
            .env("FROM_ABOVE", "a secret")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shim")
    }

    fn heard(&self, wanted: &str) {
        let mut buffer = [0; 1024];
        loop {
            let length = self.above.recv(&mut buffer).unwrap_or_else(|error| panic!("no `{wanted}`: {error}"));
            if String::from_utf8_lossy(&buffer[..length]).contains(wanted) {
                return;
            }
        }
    }
}

#[test]
fn it_tells_the_manager_above_and_stops_on_term() {
    let mut web = service("web", child(&["notify", "--after", "20", "--status", "well"]));
    web.reload = Some(Reload { action: ReloadAction::Signal(Signal::Hup), check: None });
    web.ready = Some(daemonctl::service::Ready {
        when: daemonctl::service::ReadyWhen::Notify,
        timeout: Duration::from_secs(10),
    });
    let shim = Shim::new(&web);
    let mut process = shim.run();
    shim.heard("READY=1");
    // What it says of a reload goes on, in its order.
    signal(process.id(), libc::SIGHUP);
    shim.heard("RELOADING=1\nMONOTONIC_USEC=");
    shim.heard("READY=1");
    signal(process.id(), libc::SIGTERM);
    shim.heard("STOPPING=1");
    assert_eq!(process.wait().expect("ended").code(), Some(0));
    assert!(!shim.folder.path().join("run/hosts/web").exists(), "nothing is left behind");
}

#[test]
fn it_hands_on_output_and_environment_and_ends_with_5_when_it_gave_up() {
    let mut web = service("web", sh("echo got $FROM_ABOVE; exit 1"));
    web.restart = Restart {
        limit: Some(RestartLimit { count: 1, within: Duration::from_secs(60) }),
        policy: RestartPolicy::Always,
        ..web.restart
    };
    let output = Shim::new(&web).run().wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(5));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("got a secret").count(), 2, "{text}");
}

#[test]
fn a_killed_one_is_followed_by_one_that_takes_over() {
    let mut web = service("web", sh("echo started; exec sleep 1000"));
    let shim = Shim::new(&web);
    let log = shim.folder.path().join("web.log");
    web.logs.file = Some(LogFile::One(log.clone()));
    let shim = {
        std::fs::write(shim.folder.path().join("spec.json"), serde_json::to_vec(&web).expect("JSON")).expect("write");
        shim
    };
    let mut first = shim.run();
    shim.heard("READY=1");
    let state = shim.folder.path().join("run/hosts/web/state.json");
    let main = || {
        let file = daemonctl::host::state::read(&state).ok().flatten()?;
        u32::try_from(file.units.get("web")?.main?.pid).ok()
    };
    until(|| main().is_some()).expect("a state");
    let before = main().expect("a main process");
    first.kill().expect("kill");
    first.wait().expect("wait");
    let mut second = shim.run();
    // The first may have said READY=1 more than once: that the second is at work, its state file tells.
    let at_work = || daemonctl::host::state::read(&state).ok().flatten().map(|file| file.supervisor.pid);
    until(|| at_work() == i32::try_from(second.id()).ok()).expect("the second's state");
    shim.heard("READY=1");
    assert_eq!(main(), Some(before), "the same process");
    assert!(lives(before));
    signal(second.id(), libc::SIGTERM);
    assert_eq!(second.wait().expect("ended").code(), Some(0));
    assert!(!lives(before));
    assert_eq!(std::fs::read_to_string(log).expect("read"), "started\n");
}
