//! The host under the service control manager: what the manager is told, and what becomes of the program. Registered here by
//! the manager's own calls, so that the host is tested whatever registers it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_SERVICE_CONTROL, ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_DOES_NOT_EXIST,
    ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE, ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR,
};
use windows_sys::Win32::System::Services::{
    SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_PARAMCHANGE, SERVICE_CONTROL_PAUSE, SERVICE_CONTROL_STOP,
    SERVICE_RUNNING, SERVICE_START_PENDING, SERVICE_STOPPED,
};

use crate::support::windows::Scm;
use crate::support::{Test, Where, eventually, kill, lives, program};

/// A service of the manifest's table, and the test it is of.
struct Hosted {
    t: Test,
    name: String,
    scm: Scm,
}

impl Hosted {
    /// A service with these keys. None: these tests do not run here.
    fn new(name: &str, keys: &str) -> Option<Self> {
        if std::env::var("DAEMONCTL_LIVE").as_deref() != Ok("windows") {
            return None;
        }
        let t = Test::live(name)?;
        assert_eq!(t.place, Where::Windows);
        t.manifest(&format!("[service.{{p}}x]\n{keys}\n"));
        let rendered = t.run(&["render", "--target", "windows", "--json", "manifest.toml"]).ok().json();
        let unit = t.fill("{p}x");
        let files = rendered["files"].as_array().unwrap();
        let spec = files
            .iter()
            .find(|file| Path::new(file["path"].as_str().unwrap()).extension().is_some_and(|end| end == "json"))
            .unwrap();
        let folder = t.state().join("specs");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{unit}.json")), spec["content"].as_str().unwrap()).unwrap();
        let line = format!("\"{}\" host --service {unit}", program().display());
        let scm = Scm::create(&unit, &line);
        Some(Self { t, name: unit, scm })
    }

    fn log(&self) -> String {
        let path = self.t.state().join("logs").join(&self.name).join("current.log");
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }

    fn state_file(&self, name: &str) -> PathBuf {
        self.t.state().join(r"run\hosts").join(&self.name).join(name)
    }

    fn up(&self) {
        self.scm.start().unwrap();
        self.scm.wait_for(SERVICE_RUNNING);
    }

    fn child(&self) -> i32 {
        let pid = || std::fs::read_to_string(self.t.path("pid")).ok()?.trim().parse().ok();
        eventually("the child has written its pid", || pid().is_some());
        pid().unwrap()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let _ = self.scm.control(SERVICE_CONTROL_STOP);
        let until = Instant::now() + Duration::from_secs(30);
        while self.scm.status().dwCurrentState != SERVICE_STOPPED && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = std::fs::remove_file(self.t.state().join("specs").join(format!("{}.json", self.name)));
    }
}

#[test]
fn a_service_runs_and_stops_politely() {
    let Some(h) = Hosted::new("polite", "exec = [\"{child}\", \"--pid-file\", \"{dir}/pid\", \"graceful\"]") else {
        return;
    };
    h.up();
    let child = h.child();
    assert!(lives(child));
    assert_eq!(h.scm.start(), Err(ERROR_SERVICE_ALREADY_RUNNING));
    h.scm.control(SERVICE_CONTROL_INTERROGATE).unwrap();
    assert_eq!(h.scm.control(SERVICE_CONTROL_PAUSE), Err(ERROR_INVALID_SERVICE_CONTROL));
    h.scm.control(SERVICE_CONTROL_STOP).unwrap();
    let status = h.scm.wait_for(SERVICE_STOPPED);
    assert_eq!((status.dwWin32ExitCode, status.dwServiceSpecificExitCode), (NO_ERROR, 0));
    assert!(!lives(child));
    assert!(h.log().contains("ready") && h.log().contains("stopping"), "it was asked politely:\n{}", h.log());
    assert_eq!(h.scm.control(SERVICE_CONTROL_STOP), Err(ERROR_SERVICE_NOT_ACTIVE));
    assert!(!h.state_file("state.json").exists());
}

#[test]
fn a_child_that_ignores_ctrl_c_is_ended_after_its_time() {
    let keys = "exec = [\"{child}\", \"--pid-file\", \"{dir}/pid\", \"ignore-term\"]\nstop = { timeout = \"2s\" }";
    let Some(h) = Hosted::new("ignores", keys) else { return };
    h.up();
    let child = h.child();
    eventually("it ignores", || h.log().contains("ignoring"));
    let begun = Instant::now();
    h.scm.control(SERVICE_CONTROL_STOP).unwrap();
    let status = h.scm.wait_for(SERVICE_STOPPED);
    assert!(begun.elapsed() >= Duration::from_millis(1900), "it was not given its time: {:?}", begun.elapsed());
    assert_eq!(status.dwWin32ExitCode, NO_ERROR, "a stop that was asked for is no failure");
    assert!(!lives(child));
}

#[test]
fn a_grandchild_that_outlives_its_parent_goes_with_the_stop() {
    let keys = "exec = [\"{child}\", \"grandchild\", \"--setsid\", \"--hold-stdout\", \"--pid-file\", \"{dir}/pid\"]\n\
                stop = { timeout = \"1s\" }";
    let Some(h) = Hosted::new("grandchild", keys) else { return };
    h.up();
    let grandchild = h.child();
    assert!(lives(grandchild));
    h.scm.control(SERVICE_CONTROL_STOP).unwrap();
    h.scm.wait_for(SERVICE_STOPPED);
    assert!(!lives(grandchild), "the grandchild outlived the stop");
}

#[test]
fn the_exit_code_of_a_failed_program_is_the_services() {
    let keys = "exec = [\"{child}\", \"--eprint\", \"no door\", \"exit\", \"3\"]\nrestart = { policy = \"never\" }";
    let Some(h) = Hosted::new("exit_three", keys) else { return };
    h.scm.start().unwrap();
    let status = h.scm.wait_for(SERVICE_STOPPED);
    assert_eq!((status.dwWin32ExitCode, status.dwServiceSpecificExitCode), (ERROR_SERVICE_SPECIFIC_ERROR, 3));
    assert!(h.log().contains("no door"));
    let ended = std::fs::read_to_string(h.state_file("ended.json")).unwrap();
    assert!(ended.contains("\"failed\"") && ended.contains("exited with code 3"), "{ended}");
}

#[test]
fn a_crash_loop_gives_up() {
    let keys = "exec = [\"{child}\", \"exit\", \"7\", \"after\", \"100\"]\n\
                restart = { policy = \"always\", delay = \"100ms\", limit = { count = 3, within = \"5m\" } }";
    let Some(h) = Hosted::new("gives_up", keys) else { return };
    h.scm.start().unwrap();
    let status = h.scm.wait_for(SERVICE_STOPPED);
    assert_eq!((status.dwWin32ExitCode, status.dwServiceSpecificExitCode), (ERROR_SERVICE_SPECIFIC_ERROR, 7));
    let ended = std::fs::read_to_string(h.state_file("ended.json")).unwrap();
    assert!(ended.contains("\"gave-up\""), "{ended}");
}

#[test]
fn a_child_that_was_killed_is_started_again() {
    let keys = "exec = [\"{child}\", \"--append\", \"{dir}/starts\", \"x\", \"--pid-file\", \"{dir}/pid\", \"sleep\"]\n\
                restart = { policy = \"always\", delay = \"100ms\" }";
    let Some(h) = Hosted::new("repaired", keys) else { return };
    h.up();
    let first = h.child();
    kill(first);
    let starts = || std::fs::read_to_string(h.t.path("starts")).unwrap_or_default().lines().count();
    eventually("it is started again", || starts() == 2 && h.child() != first && lives(h.child()));
    assert_eq!(h.scm.status().dwCurrentState, SERVICE_RUNNING);
}

#[test]
fn the_child_of_a_killed_host_dies_with_it() {
    let keys = "exec = [\"{child}\", \"--pid-file\", \"{dir}/pid\", \"sleep\"]";
    let Some(h) = Hosted::new("host_killed", keys) else { return };
    h.up();
    let (child, host) = (h.child(), h.scm.status().dwProcessId);
    assert!(lives(child));
    kill(host.cast_signed());
    eventually("the child is gone", || !lives(child));
    // Its manager sees that too, and a later start begins afresh.
    h.scm.wait_for(SERVICE_STOPPED);
    std::fs::remove_file(h.t.path("pid")).unwrap();
    h.up();
    assert_ne!(h.child(), child);
}

#[test]
fn it_is_up_when_it_is_ready() {
    let keys = "exec = [\"{child}\", \"notify\", \"--after\", \"1500\"]\nready = { notify = true, timeout = \"30s\" }";
    let Some(h) = Hosted::new("ready", keys) else { return };
    let begun = Instant::now();
    h.scm.start().unwrap();
    eventually("the child runs", || h.state_file("state.json").exists());
    assert_eq!(h.scm.status().dwCurrentState, SERVICE_START_PENDING);
    let status = h.scm.wait_for(SERVICE_RUNNING);
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert_eq!((status.dwCheckPoint, status.dwWaitHint), (0, 0));
}

#[test]
fn a_long_start_moves_its_checkpoint() {
    let keys = "exec = [\"{child}\", \"sleep\"]\nready = { delay = \"6s\", timeout = \"30s\" }";
    let Some(h) = Hosted::new("checkpoint", keys) else { return };
    h.scm.start().unwrap();
    let first = h.scm.status();
    assert_eq!(first.dwCurrentState, SERVICE_START_PENDING);
    assert!(first.dwWaitHint >= 2000, "{}", first.dwWaitHint);
    let mut seen = std::collections::BTreeSet::new();
    let mut hints = std::collections::BTreeSet::new();
    eventually("it is up", || {
        let status = h.scm.status();
        seen.insert(status.dwCheckPoint);
        hints.insert(status.dwWaitHint);
        status.dwCurrentState == SERVICE_RUNNING
    });
    assert!(seen.len() >= 4 && hints.len() >= 4, "checkpoints {seen:?}, hints {hints:?}");
}

#[test]
fn a_change_of_parameters_is_a_reload() {
    let keys = "exec = [\"{child}\", \"sleep\"]\n\
                reload = { command = [\"{child}\", \"append\", \"{dir}/reloaded\", \"once\"] }";
    let Some(h) = Hosted::new("paramchange", keys) else { return };
    h.up();
    h.scm.control(SERVICE_CONTROL_PARAMCHANGE).unwrap();
    eventually("it was reloaded", || h.t.path("reloaded").exists());
    assert_eq!(h.scm.status().dwCurrentState, SERVICE_RUNNING);
}

#[test]
fn what_is_deleted_while_it_is_open_is_marked() {
    let Some(h) = Hosted::new("marked", "exec = [\"{child}\", \"sleep\"]") else { return };
    let name = h.name.clone();
    h.up();
    // Deleted while it runs and a handle is open: known until both have ended, and not to be deleted again.
    h.scm.delete().unwrap();
    assert_eq!(h.scm.delete(), Err(ERROR_SERVICE_MARKED_FOR_DELETE));
    assert_eq!(h.scm.status().dwCurrentState, SERVICE_RUNNING);
    drop(h);
    let mut last = NO_ERROR;
    eventually("it is gone", || {
        last = Scm::open(&name).err().unwrap_or(NO_ERROR);
        last == ERROR_SERVICE_DOES_NOT_EXIST
    });
}

#[test]
fn by_hand_it_says_who_starts_it() {
    if std::env::var("DAEMONCTL_LIVE").as_deref() != Ok("windows") {
        return;
    }
    let Some(t) = Test::live("by_hand") else { return };
    t.run(&["host", "--service", "nobody"]).exits(2).complains("1063");
}

#[test]
fn output_that_is_not_utf8_is_still_text() {
    let keys = "exec = [\"{child}\", \"--stay\", \"invalid-utf8\"]\nlogs = { to = [\"file\"], format = \"json\" }";
    let Some(h) = Hosted::new("encodings", keys) else { return };
    h.up();
    eventually("all of it is written", || h.log().contains("\"end\""));
    let lines: Vec<serde_json::Value> = h.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<&str> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages[0], "good");
    assert!(messages.iter().all(|message| !message.contains('\u{fffd}')), "{messages:?}");
}

#[test]
fn a_log_is_rotated_while_somebody_reads_it() {
    use std::os::windows::fs::OpenOptionsExt;
    let keys = "exec = [\"{child}\", \"--stay\", \"flood\", \"2000000\", \"--line\", \"100\"]\n\
                logs = { to = [\"file\"], file = \"{dir}/out.log\", format = \"raw\", max_size = \"64KiB\", keep = 1000, compress = \"none\" }";
    let Some(h) = Hosted::new("read_meanwhile", keys) else { return };
    let path = h.t.path("out.log");
    std::fs::write(&path, "").unwrap();
    // One that shares everything, and one that lets nobody rename it, as many viewers do.
    let _polite = std::fs::File::open(&path).unwrap();
    let rude = std::fs::OpenOptions::new().read(true).share_mode(3).open(&path).unwrap();
    h.up();
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(&h.t.dir).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("out")).collect()
    };
    let bytes = || files().iter().map(|path| path.metadata().map_or(0, |meta| meta.len())).sum::<u64>();
    eventually("all of it is written", || bytes() >= 2_000_000);
    drop(rude);
    assert_eq!(bytes(), 2_000_000, "lost or doubled");
    assert!(files().len() >= 20, "{:?}", files());
}
