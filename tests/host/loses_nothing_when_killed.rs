//! The supervisor is killed while it has a flood in hand, again and again: what was read and not yet written is written by
//! the next one, once.

use std::path::Path;
use std::time::Duration;

use daemonctl::host::logs::format::undress;
use daemonctl::host::logs::read;
use daemonctl::report::State;
use daemonctl::service::{LogFile, LogFormat};

use super::support::*;

/// Every line there is, oldest first, as text.
fn lines(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for file in read::generations(path, None) {
        all.extend(read::whole(&file).expect("read"));
    }
    all.extend(std::fs::read(path).unwrap_or_default());
    assert!(all.ends_with(b"\n"), "the last line is whole");
    String::from_utf8(all).expect("text").lines().map(str::to_owned).collect()
}

fn flood(format: LogFormat) {
    const LINE: u64 = 100;
    const KILLS: u32 = 12;
    let total = match format {
        LogFormat::Raw => 300_000_000,
        LogFormat::Timestamped => 100_000_000,
        LogFormat::Json => 15_000_000,
    };
    let mut supervisor = Supervisor::start();
    let path = supervisor.file("logs/flood.log");
    // It stays until the kills are over: what is in a pipe that nobody has open any more, the kernel drops.
    let over = supervisor.file("over");
    let script = "\"$@\"; until [ -e \"$0\" ]; do sleep 0.1; done";
    let mut command = vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned(), over.display().to_string()];
    command.extend(child(&["flood", &u64::to_string(&total), "--line", &LINE.to_string()]));
    let mut flood = service("flood", command);
    flood.restart.policy = daemonctl::service::RestartPolicy::Never;
    flood.logs.file = Some(LogFile::One(path.clone()));
    flood.logs.format = format;
    flood.logs.max_size = Some(3_000_000);
    supervisor.install(&flood);
    supervisor.start_unit("flood").expect("started");
    let mut killed = 0;
    while supervisor.record("flood").is_some_and(|record| !record.machine.current.at_rest()) && killed < KILLS {
        // At no place in particular.
        std::thread::sleep(Duration::from_micros(700 * u64::from(killed * killed)));
        supervisor.kill();
        supervisor.start_again();
        killed += 1;
    }
    assert_eq!(killed, KILLS);
    std::fs::write(&over, "").expect("a file");
    until(|| supervisor.record("flood").is_some_and(|record| record.machine.current.at_rest())).expect("its end");
    supervisor
        .wait("flood", |record| matches!(record.machine.word(), State::Failed | State::Completed | State::Stopped));
    let mut number = 0;
    for line in lines(&path) {
        number += 1;
        let (_, _, text) = undress(&line);
        let said = text.split(' ').next().and_then(|word| word.parse().ok());
        assert_eq!((said, text.len()), (Some(number), 99), "line {number}: `{line}`");
    }
    assert_eq!(number, total / LINE);
}

#[test]
fn a_raw_flood_through_rotations_is_whole() {
    flood(LogFormat::Raw);
}

#[test]
fn a_timestamped_flood_is_whole() {
    flood(LogFormat::Timestamped);
}

#[test]
fn a_flood_in_json_is_whole() {
    flood(LogFormat::Json);
}
