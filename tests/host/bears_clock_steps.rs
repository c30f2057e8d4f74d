//! Somebody sets the clock, by hours, in either direction: what takes a time takes it, what has a time of the clock
//! follows it.

use std::fs;
use std::time::{Duration, Instant};

use daemonctl::host::logs::format::undress;
use daemonctl::host::logs::read;
use daemonctl::host::machine::Current;
use daemonctl::report::{Effect, State};
use daemonctl::service::{Calendar, Kind, LogFormat, Ready, ReadyWhen, RestartPolicy, Schedule, ScheduleWhen, Service};
use jiff::{Timestamp, ToSpan};

use super::support::*;

const HOURS: i64 = 5 * 3600;

fn task(supervisor: &Supervisor, when: ScheduleWhen) -> Service {
    let mut job = service("job", sh(&format!("echo run >> {}", supervisor.file("runs").display())));
    job.kind = Kind::Task;
    job.restart.policy = RestartPolicy::Never;
    job.schedule = Some(Box::new(Schedule { when, jitter: Duration::ZERO, persistent: false }));
    job
}

fn runs(supervisor: &Supervisor) -> u32 {
    let text = fs::read_to_string(supervisor.file("runs")).unwrap_or_default();
    u32::try_from(text.lines().count()).expect("a number")
}

#[test]
fn a_task_of_every_so_often_keeps_its_rhythm() {
    const EVERY: Duration = Duration::from_millis(200);
    let supervisor = Supervisor::start_with_clock();
    supervisor.install(&task(&supervisor, ScheduleWhen::Every(EVERY)));
    supervisor.start_unit("job").expect("armed");
    until(|| runs(&supervisor) >= 2).expect("it runs");
    for ahead in [HOURS, 0, -HOURS, 100 * HOURS, -100 * HOURS] {
        let (before, began) = (runs(&supervisor), Instant::now());
        supervisor.set_clock(ahead);
        until(|| runs(&supervisor) >= before + 3).unwrap_or_else(|()| panic!("it stands still, {ahead} s ahead"));
        let (after, took) = (runs(&supervisor), began.elapsed());
        let most = took.as_millis() / EVERY.as_millis() + 2;
        assert!(u128::from(after - before) <= most, "{} runs in {took:?}", after - before);
    }
}

#[test]
fn a_time_of_the_calendar_comes_when_the_clock_shows_it() {
    let supervisor = Supervisor::start_with_clock();
    let due = (Timestamp::now() + 2.hours()).in_tz("UTC").expect("a time");
    let calendar = Calendar {
        hours: vec![due.hour().unsigned_abs()],
        minutes: vec![due.minute().unsigned_abs()],
        ..Calendar::default()
    };
    supervisor.install(&task(&supervisor, ScheduleWhen::Calendar(calendar)));
    supervisor.start_unit("job").expect("armed");
    let next =
        |supervisor: &Supervisor| supervisor.record("job").and_then(|record| record.runs).and_then(|runs| runs.next);
    until(|| next(&supervisor).is_some()).expect("a plan");
    let ahead = 2 * 3600 + 60;
    supervisor.set_clock(ahead);
    until(|| runs(&supervisor) == 1).expect("its time has come");
    supervisor.wait("job", |record| record.machine.current == Current::Armed);
    until(|| next(&supervisor).is_some_and(|next| next > Timestamp::now() + 20.hours())).expect("tomorrow again");
    supervisor.set_clock(0);
    until(|| next(&supervisor).is_some_and(|next| next < Timestamp::now() + 3.hours())).expect("it is ahead once more");
    assert_eq!(runs(&supervisor), 1, "a clock that is set back runs nothing");
}

#[test]
fn backoff_and_timeouts_take_their_time_and_no_more() {
    const TIMEOUT: Duration = Duration::from_millis(700);
    let supervisor = Supervisor::start_with_clock();
    let mut crash = service("crash", sh("exit 3"));
    (crash.restart.delay, crash.restart.factor) = (Duration::from_millis(100), 1.0);
    supervisor.install(&crash);
    let mut deaf = service("deaf", child(&["ignore-term"]));
    deaf.stop.timeout = TIMEOUT;
    supervisor.install(&deaf);
    let mut mute = service("mute", child(&["sleep"]));
    mute.ready = Some(Ready { when: ReadyWhen::Log("never".into()), timeout: Duration::from_secs(3600) });
    supervisor.install(&mute);
    let _ = supervisor.start_unit("crash");
    for ahead in [HOURS, -HOURS] {
        supervisor.set_clock(0);
        std::thread::scope(|scope| {
            let start = scope.spawn(|| supervisor.start_unit("mute"));
            supervisor.wait_state("mute", State::Starting);
            let had = supervisor.log("deaf").lines().count();
            assert_eq!(supervisor.start_unit("deaf"), Ok(Effect::Started));
            until(|| supervisor.log("deaf").lines().count() > had).expect("it ignores TERM now");
            let began = Instant::now();
            let stop = scope.spawn(|| supervisor.stop_unit("deaf"));
            supervisor.wait_state("deaf", State::Stopping);
            supervisor.set_clock(ahead);
            assert_eq!(stop.join().expect("joined"), Ok(Effect::Stopped));
            assert!(began.elapsed() >= TIMEOUT, "killed after {:?}", began.elapsed());
            let restarts = supervisor.record("crash").expect("a record").machine.restarts;
            supervisor.wait("crash", |record| record.machine.restarts >= restarts + 3);
            assert_eq!(supervisor.stop_unit("mute"), Ok(Effect::Stopped));
            let trouble = start.join().expect("joined").expect_err("it never became ready");
            assert!(trouble.message.contains("stopped while it was starting"), "{}", trouble.message);
        });
    }
}

#[test]
fn logs_tell_what_the_clock_showed_and_stay_in_order() {
    let supervisor = Supervisor::start_with_clock();
    let mut web = service("web", child(&["lines", "100000000", "--every", "1"]));
    (web.logs.format, web.logs.max_size) = (LogFormat::Timestamped, Some(4096));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let current = supervisor.layout.logs_of("web").join("current.log");
    let all = || {
        let mut files = read::generations(&current, None);
        files.push(current.clone());
        files.iter().map(|file| fs::read_to_string(file).unwrap_or_default()).collect::<String>()
    };
    let real = Timestamp::now();
    // Which of the three times it was.
    let era = |line: &str| {
        let (at, _, _) = undress(line);
        (at.expect("a stamp").as_second() - real.as_second() + HOURS / 2).div_euclid(HOURS)
    };
    for (ahead, wanted) in [(0, 0), (HOURS, 1), (-HOURS, -1)] {
        supervisor.set_clock(ahead);
        let files = || read::generations(&current, None).len();
        let before = files();
        until(|| files() > before + 2).expect("it rotates");
        let now = all();
        let (whole, _) = now.rsplit_once('\n').expect("lines");
        assert_eq!(whole.lines().last().map(era), Some(wanted));
    }
    supervisor.stop_unit("web").expect("stopped");
    let text = all();
    let mut eras = Vec::new();
    for (number, line) in text.lines().enumerate() {
        assert!(line.ends_with(&format!("line {}", number + 1)), "line {}: `{line}`", number + 1);
        eras.push(era(line));
    }
    eras.dedup();
    assert_eq!(eras, [0, 1, -1]);
}
