//! Half lines, bytes that are no text, a last line without its end.

use daemonctl::report::State;
use daemonctl::service::{Kind, LogFormat, RestartPolicy, Service};

use super::support::*;

fn once(name: &str, exec: Vec<String>) -> Service {
    let mut once = service(name, exec);
    once.kind = Kind::Oneshot;
    once.restart.policy = RestartPolicy::Never;
    once
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
