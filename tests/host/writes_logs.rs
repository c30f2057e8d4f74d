use daemonctl::host::logs::read;
use daemonctl::report::Effect;
use daemonctl::service::{Kind, LogFile, LogFormat, RestartPolicy};

use super::support::*;

#[test]
fn a_flood_through_rotation_loses_nothing() {
    let supervisor = Supervisor::start();
    let path = supervisor.file("out/flood.log");
    let mut flood = service("flood", sh("i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i of the flood; done"));
    flood.kind = Kind::Oneshot;
    flood.restart.policy = RestartPolicy::Never;
    flood.logs.file = Some(LogFile::One(path.clone()));
    flood.logs.max_size = Some(4096);
    supervisor.install(&flood);
    assert_eq!(supervisor.start_unit("flood"), Ok(Effect::Started));
    let mut all = Vec::new();
    for generation in read::generations(&path, None) {
        all.extend(read::whole(&generation).expect("read"));
    }
    all.extend(std::fs::read(&path).unwrap_or_default());
    let wanted: String = (1..=2000).fold(String::new(), |text, i| text + &format!("line {i} of the flood\n"));
    assert_eq!(String::from_utf8(all).expect("UTF-8"), wanted);
    assert!(read::generations(&path, None).len() > 5);
}

#[test]
fn streams_apart_and_json_and_the_last_half_line() {
    let supervisor = Supervisor::start();
    let (out, err) = (supervisor.file("out.log"), supervisor.file("err.log"));
    let mut both = service("both", sh("echo to out; echo to err >&2; printf half"));
    both.kind = Kind::Oneshot;
    both.restart.policy = RestartPolicy::Never;
    both.logs.format = LogFormat::Json;
    both.logs.file = Some(LogFile::Apart { stdout: out.clone(), stderr: err.clone() });
    supervisor.install(&both);
    supervisor.start_unit("both").expect("done");
    let lines = |path| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).expect("read");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let (out, err) = (lines(out), lines(err));
    assert_eq!((&out[0]["message"], &out[1]["message"]), (&"to out".into(), &"half".into()));
    assert_eq!((&err[0]["message"], &err[0]["stream"]), (&"to err".into(), &"stderr".into()));
}

#[test]
fn a_log_that_cannot_be_written_does_not_hurt_the_service_and_is_told() {
    let supervisor = Supervisor::start();
    let mut web = service("web", sh("while :; do echo line; sleep 0.01; done"));
    std::fs::write(supervisor.file("file"), "").expect("write");
    web.logs.file = Some(LogFile::One(supervisor.file("file/not/a/folder.log")));
    supervisor.install(&web);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    supervisor.verb(daemonctl::host::control::Ask::Restart, &["web"]);
    let record = supervisor.wait("web", |record| record.logs.iter().any(|log| log.dropped > 0));
    assert!(record.logs[0].trouble.as_ref().expect("told").contains("cannot write"));
}

#[test]
fn the_environment_holds_nothing_that_was_not_meant() {
    let supervisor = Supervisor::start();
    let out = supervisor.file("env");
    let mut show = service("show", child(&["--out", &out.display().to_string(), "env"]));
    show.kind = Kind::Oneshot;
    show.restart.policy = RestartPolicy::Never;
    show.env.insert("GREETING".into(), "a \"b\" $c".into());
    supervisor.install(&show);
    supervisor.start_unit("show").expect("done");
    let env: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&std::fs::read_to_string(out).expect("read")).expect("JSON");
    assert_eq!(env["GREETING"], "a \"b\" $c");
    assert!(!env.contains_key("DAEMONCTL_TEST_FOLDER") && !env.contains_key("CARGO_MANIFEST_DIR"), "{env:?}");
    for name in env.keys() {
        let known = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "XDG_RUNTIME_DIR", "GREETING"];
        assert!(known.contains(&name.as_str()) || name.starts_with("DAEMONCTL_"), "{name}");
    }
}

#[test]
fn no_file_of_the_supervisor_is_inherited() {
    let supervisor = Supervisor::start();
    let out = supervisor.file("fds");
    let mut show = service("show", child(&["--out", &out.display().to_string(), "fds"]));
    show.kind = Kind::Oneshot;
    show.restart.policy = RestartPolicy::Never;
    supervisor.install(&show);
    supervisor.start_unit("show").expect("done");
    let fds: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(out).expect("read")).expect("JSON");
    let text = fds.to_string();
    assert!(text.contains("0,1,2") || text.contains("[0,1,2]"), "{text}");
    assert!(!text.contains(",5") && !text.contains(",6"), "{text}");
}
