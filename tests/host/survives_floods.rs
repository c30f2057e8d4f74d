//! A service that writes more than anybody can read.

use std::time::{Duration, Instant};

use daemonctl::host::logs::read;
use daemonctl::report::{Effect, State};
use daemonctl::service::{Kind, LogFile, LogFormat, RestartPolicy, Service};

use super::support::*;

const FLOOD: u64 = 64 << 20;
const LINE: u64 = 4096;

fn once(name: &str, exec: Vec<String>) -> Service {
    let mut once = service(name, exec);
    once.kind = Kind::Oneshot;
    once.restart.policy = RestartPolicy::Never;
    once
}

#[test]
fn a_flood_is_kept_line_by_line_and_drowns_nobody() {
    let supervisor = Supervisor::start();
    let path = supervisor.file("out/flood.log");
    let (size, line) = (FLOOD.to_string(), LINE.to_string());
    let mut flood = once("flood", child(&["flood", &size, "--line", &line]));
    flood.logs.file = Some(LogFile::One(path.clone()));
    flood.logs.max_size = Some(10 << 20);
    supervisor.install(&flood);
    supervisor.install(&service("web", child(&["sleep"])));
    supervisor.start_unit("web").expect("started");
    let before = resident(supervisor.pid());
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(supervisor.start_unit("flood"), Ok(Effect::Started)));
        until(|| std::fs::metadata(&path).is_ok_and(|log| log.len() > 0)).expect("the flood has begun");
        let began = Instant::now();
        assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
        assert!(began.elapsed() < Duration::from_secs(1), "a stop took {:?}", began.elapsed());
    });
    let after = resident(supervisor.pid());
    assert!(after < before + (8 << 20), "{before} bytes became {after}");
    let mut number = 0;
    let generations = read::generations(&path, None);
    assert!(generations.len() >= 6, "{generations:?}");
    for file in generations.iter().chain([&path]) {
        let bytes = std::fs::read(file).unwrap_or_default();
        for line in bytes.chunks(usize::try_from(LINE).expect("a size")) {
            number += 1;
            assert!(line.starts_with(format!("{number} x").as_bytes()), "line {number} of {}", file.display());
            assert!(line.ends_with(b"x\n"), "line {number} of {}", file.display());
        }
    }
    assert_eq!(number, FLOOD / LINE);
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn half_lines_bytes_that_are_no_text_and_a_missing_last_newline_are_kept_in_every_format() {
    let supervisor = Supervisor::start();
    for mode in ["half-lines", "invalid-utf8"] {
        let mut wanted: Vec<&[u8]> = vec![b"one", b"two", b"three"];
        if mode == "invalid-utf8" {
            wanted = vec![b"good", b"\xff\xfe", b"caf\xe9", b"nul\0nul", b"\x1b[31mred\x1b[0m", b"end"];
        }
        let name = |format| format!("{mode}-{format:?}").to_lowercase();
        for format in [LogFormat::Raw, LogFormat::Timestamped, LogFormat::Json] {
            let mut odd = once(&name(format), child(&[mode]));
            odd.logs.format = format;
            supervisor.install(&odd);
            supervisor.start_unit(&odd.name).expect("done");
            let bytes = std::fs::read(supervisor.layout.logs_of(&odd.name).join("current.log")).expect("a log");
            let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            assert_eq!(lines.len(), wanted.len(), "{format:?}: {}", bytes.escape_ascii());
            for (line, wanted) in lines.into_iter().zip(&wanted) {
                match format {
                    LogFormat::Raw => assert_eq!(line, *wanted),
                    LogFormat::Timestamped => assert!(line.ends_with(wanted), "{}", line.escape_ascii()),
                    LogFormat::Json => {
                        let line: serde_json::Value = serde_json::from_slice(line).expect("JSON");
                        assert_eq!(line["message"], *String::from_utf8_lossy(wanted));
                    }
                }
            }
        }
    }
}

#[test]
fn the_run_after_a_half_line_goes_on_in_the_same_file() {
    let supervisor = Supervisor::start();
    supervisor.install(&service("web", sh("printf half; exec sleep 1000")));
    supervisor.start_unit("web").expect("started");
    until(|| supervisor.log("web") == "half").expect("half a line is there at once");
    signal(supervisor.main_pid("web"), libc::SIGKILL);
    supervisor.wait("web", |record| record.machine.restarts == 1 && record.machine.word() == State::Running);
    until(|| supervisor.log("web") == "halfhalf").expect("nothing lost, nothing made up");
}
