//! Many services that crash as soon as they are started.

use std::time::{Duration, Instant};

use daemonctl::host::control::Ask;
use daemonctl::report::{Effect, State};
use daemonctl::service::RestartLimit;

use super::support::*;

const CROWD: usize = 1000;

#[test]
fn a_thousand_crash_loops_leave_time_for_others_and_end_in_gave_up() {
    let supervisor = Supervisor::start();
    let names: Vec<String> = (0..CROWD).map(|number| format!("crash{number:03}")).collect();
    for name in &names {
        let mut crash = service(name, vec!["/bin/false".to_owned()]);
        crash.restart.delay = Duration::from_millis(200);
        crash.restart.limit = Some(RestartLimit { count: 1, within: Duration::from_secs(600) });
        supervisor.install(&crash);
    }
    supervisor.install(&service("web", child(&["sleep"])));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| supervisor.verb(Ask::Start, &names));
        until(|| supervisor.record("crash000").is_some_and(|record| record.machine.last.is_some())).expect("a crash");
        for _ in 0..2 {
            let began = Instant::now();
            assert!(!supervisor.ask(Ask::Hello).is_empty());
            assert!(began.elapsed() < Duration::from_secs(15), "hello took {:?}", began.elapsed());
            assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
            let began = Instant::now();
            assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
            assert!(began.elapsed() < Duration::from_secs(15), "a stop took {:?}", began.elapsed());
        }
    });
    until_within(Duration::from_secs(90), || {
        let units = supervisor.state().expect("a state").units;
        names.iter().all(|name| units[*name].machine.word() == State::GaveUp && units[*name].machine.restarts == 1)
    })
    .expect("all gave up");
    #[cfg(target_os = "linux")]
    {
        let before = ticks(supervisor.pid());
        std::thread::sleep(Duration::from_millis(500));
        let spent = ticks(supervisor.pid()) - before;
        assert!(spent <= 5, "it has nothing to do, and spent {spent} ticks of 50");
    }
}

/// Processor time spent, in hundredths of a second.
#[cfg(target_os = "linux")]
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}
