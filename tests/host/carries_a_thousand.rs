//! A thousand services at a time: started, listed, stopped, each by one request.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use daemonctl::host::control::{Answer, Ask, Request, Units, VERSION, socket};
use daemonctl::report::{Effect, State};

use super::support::*;

const CROWD: usize = 1000;

/// Each of these takes a second or less on an idle machine with two cores; a loaded one may take longer.
const DEADLINE: Duration = Duration::from_secs(180);

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
    until_within(DEADLINE, || names.iter().all(|name| supervisor.log(name).contains("started")))
        .expect("every output is captured");

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

/// Sends a request, and tells when its answer is complete.
fn send(supervisor: &Supervisor, ask: Ask) -> impl FnMut() -> bool {
    use std::io::{Read, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(socket(&supervisor.layout)).expect("connect");
    let request = Request { version: VERSION, ask };
    writeln!(stream, "{}", serde_json::to_string(&request).expect("JSON")).expect("write");
    stream.set_nonblocking(true).expect("a stream that does not wait");
    let done = serde_json::to_vec(&Answer::Done).expect("JSON");
    let mut heard = Vec::new();
    move || {
        let mut piece = [0; 8192];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            heard.extend_from_slice(&piece[..length]);
        }
        heard.trim_ascii_end().ends_with(&done)
    }
}

#[test]
fn while_a_thousand_start_others_are_answered_and_a_stop_calls_off_what_has_not_begun() {
    let supervisor = Supervisor::start();
    let names: Vec<String> = (0..CROWD).map(|number| format!("web{number:04}")).collect();
    for name in &names {
        supervisor.install(&service(name, vec!["/bin/sleep".to_owned(), "infinity".to_owned()]));
    }
    supervisor.ask(Ask::Load);
    // However fast the machine is: it takes more than one turn of the loop, and answers are given between two.
    let mut is_done = send(&supervisor, Ask::Start(Units { units: names.clone() }));
    let mut answered = 0;
    while !is_done() {
        assert!(!supervisor.ask(Ask::Hello).is_empty());
        answered += 1;
    }
    assert!(answered > 3, "{answered} were answered while a thousand started");

    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    within("the stop", || supervisor.verb(Ask::Stop, &all));
    let mut is_done = send(&supervisor, Ask::Start(Units { units: names.clone() }));
    until_within(DEADLINE, || supervisor.record(&names[0]).is_some_and(|record| record.main.is_some()))
        .expect("it has begun");
    let answers = within("the stop", || supervisor.verb(Ask::Stop, &all));
    assert_eq!(answers.len(), CROWD);
    assert!(answers.values().all(Result::is_ok), "{answers:?}");
    let units = supervisor.state().expect("a state").units;
    assert!(units.values().all(|unit| unit.machine.word() == State::Stopped), "none starts after its stop");
    until_within(DEADLINE, &mut is_done).expect("the start is answered too");
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
