//! Many services that crash as soon as they are started.

use std::time::Duration;

use daemonctl::host::control::Ask;
use daemonctl::report::{Effect, State};
use daemonctl::service::RestartLimit;

use super::support::*;

const CROWD: usize = 1000;

fn install(supervisor: &Supervisor, limit: Option<RestartLimit>) -> Vec<String> {
    let names: Vec<String> = (0..CROWD).map(|number| format!("crash{number:03}")).collect();
    for name in &names {
        let mut crash = service(name, vec!["/bin/false".to_owned()]);
        (crash.restart.delay, crash.restart.factor) = (Duration::from_millis(200), 1.0);
        crash.restart.limit = limit;
        supervisor.install(&crash);
    }
    names
}

/// How often any of them was started again.
fn restarts(supervisor: &Supervisor) -> usize {
    let units = supervisor.state().expect("a state").units;
    units.values().map(|unit| usize::try_from(unit.machine.restarts).expect("a number")).sum()
}

/// How long others wait depends on the machine and its load; how much is done for the crowd meanwhile does not.
#[test]
fn a_thousand_crash_loops_leave_turns_for_others() {
    let supervisor = Supervisor::start();
    let names = install(&supervisor, None);
    supervisor.install(&service("web", child(&["sleep"])));
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    supervisor.verb(Ask::Start, &all);
    until_within(Duration::from_secs(180), || restarts(&supervisor) > CROWD).expect("they crash");
    let meanwhile = |work: &dyn Fn()| {
        let before = restarts(&supervisor);
        work();
        restarts(&supervisor) - before
    };
    for _ in 0..3 {
        let hello = meanwhile(&|| assert!(!supervisor.ask(Ask::Hello).is_empty()));
        assert!(hello <= 2 * CROWD, "{hello} restarts before an answer");
        let start = meanwhile(&|| assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started)));
        assert!(start <= 5 * CROWD, "{start} restarts before a start was done");
        let stop = meanwhile(&|| assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped)));
        assert!(stop <= 5 * CROWD, "{stop} restarts before a stop was done");
    }
    let answers = supervisor.verb(Ask::Stop, &all);
    assert!(answers.len() == CROWD && answers.values().all(Result::is_ok), "{answers:?}");
    let over = restarts(&supervisor);
    assert!(supervisor.state().expect("a state").units.values().all(|unit| unit.machine.word() == State::Stopped));
    assert_eq!(restarts(&supervisor), over);
}

#[test]
fn a_thousand_crash_loops_end_in_gave_up_and_cost_nothing_then() {
    let supervisor = Supervisor::start();
    let names = install(&supervisor, Some(RestartLimit { count: 1, within: Duration::from_secs(600) }));
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    supervisor.verb(Ask::Start, &all);
    until_within(Duration::from_secs(180), || {
        let units = supervisor.state().expect("a state").units;
        names.iter().all(|name| units[name].machine.word() == State::GaveUp && units[name].machine.restarts == 1)
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
