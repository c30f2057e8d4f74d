//! A thousand services at a time: started, listed, stopped, each by one request.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use daemonctl::host::control::Ask;
use daemonctl::report::{Effect, State};

use super::support::*;

const CROWD: usize = 1000;

/// Each of these takes a second or less on an idle machine with two cores; a loaded one may take longer.
const DEADLINE: Duration = Duration::from_secs(60);

fn within<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    assert!(began.elapsed() < DEADLINE, "{what} took {:?}", began.elapsed());
    done
}

#[test]
fn a_thousand_are_started_listed_and_stopped_by_one_request_each() {
    let supervisor = Supervisor::start();
    let names: Vec<String> = (0..CROWD).map(|number| format!("web{number:04}")).collect();
    for name in &names {
        supervisor.install(&service(name, sh("echo started; exec sleep infinity")));
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();

    let answers = within("the start", || supervisor.verb(Ask::Start, &all));
    assert_eq!(answers.len(), CROWD);
    assert!(answers.values().all(|answer| *answer == Ok(Effect::Started)), "{answers:?}");
    let units = supervisor.state().expect("a state").units;
    let running = |name: &&String| units[*name].machine.word() == State::Running;
    assert_eq!(names.iter().filter(running).count(), CROWD, "the state agrees with the answer");
    let mains: BTreeSet<u32> =
        units.values().map(|unit| u32::try_from(unit.main.expect("a main").pid).expect("a pid")).collect();
    assert_eq!(mains.iter().filter(|pid| lives(**pid)).count(), CROWD);
    until(|| names.iter().all(|name| supervisor.log(name).contains("started"))).expect("every output is captured");

    // Asked again it has nothing to do, and says so at once.
    let answers = within("nothing", || supervisor.verb(Ask::Start, &all));
    assert!(answers.values().all(|answer| *answer == Ok(Effect::Unchanged)), "{answers:?}");

    let answers = within("the stop", || supervisor.verb(Ask::Stop, &all));
    assert_eq!(mains.iter().filter(|pid| lives(**pid)).count(), 0, "the answer comes when all are gone");
    assert_eq!(answers.len(), CROWD);
    assert!(answers.values().all(|answer| *answer == Ok(Effect::Stopped)), "{answers:?}");
    let units = supervisor.state().expect("a state").units;
    assert!(units.values().all(|unit| unit.machine.word() == State::Stopped && unit.machine.restarts == 0));
}

#[test]
fn a_thousand_that_were_stopped_stay_down_when_the_supervisor_is_killed() {
    let mut supervisor = Supervisor::start();
    let names: Vec<String> = (0..CROWD).map(|number| format!("web{number:04}")).collect();
    for name in &names {
        supervisor.install(&service(name, vec!["/bin/sleep".to_owned(), "infinity".to_owned()]));
        supervisor.enable(name);
    }
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let (half, rest) = all.split_at(CROWD / 2);
    within("the start", || supervisor.verb(Ask::Start, &all));
    within("the stop", || supervisor.verb(Ask::Stop, half));
    let mains = |supervisor: &Supervisor| {
        let units = supervisor.state().expect("a state").units;
        assert!(half.iter().all(|name| units[*name].machine.word() == State::Stopped));
        rest.iter().map(|name| units[*name].main.expect("a main")).collect::<Vec<_>>()
    };
    let before = mains(&supervisor);
    supervisor.kill();
    within("the takeover", || supervisor.start_again());
    assert_eq!(mains(&supervisor), before, "those that ran are the same");
    assert!(before.into_iter().all(daemonctl::host::sys::lives));
    assert!(supervisor.term(), "an orderly end");
}
