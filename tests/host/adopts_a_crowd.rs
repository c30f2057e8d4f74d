//! The supervisor is killed in the middle of everything, with many services.

use daemonctl::host::control::{Ask, Request, Units, VERSION, socket};
use daemonctl::host::logs::read;
use daemonctl::report::State;
use daemonctl::service::{Ready, ReadyWhen};

use super::support::*;

const CROWD: usize = 100;
const KILLS: usize = 4;

fn names() -> Vec<String> {
    (0..CROWD).map(|number| format!("web{number:03}")).collect()
}

/// Writes one line to `starts/NAME` at each start, and numbered ones to its log.
fn install(supervisor: &Supervisor, every: &str, change: impl Fn(&mut daemonctl::service::Service)) {
    std::fs::create_dir_all(supervisor.file("starts")).expect("a folder");
    for name in names() {
        let starts = supervisor.file("starts").join(&name).display().to_string();
        let mut web = service(&name, child(&["--append", &starts, "started", "lines", "1000000", "--every", every]));
        change(&mut web);
        supervisor.install(&web);
    }
}

/// Asks for the start of all, and does not wait for the answer.
fn start_all(supervisor: &Supervisor) -> std::os::unix::net::UnixStream {
    use std::io::Write;
    let mut stream = std::os::unix::net::UnixStream::connect(socket(&supervisor.layout)).expect("connect");
    let request = Request { version: VERSION, ask: Ask::Start(Units { units: names() }) };
    writeln!(stream, "{}", serde_json::to_string(&request).expect("JSON")).expect("write");
    stream
}

fn started(supervisor: &Supervisor) -> usize {
    std::fs::read_dir(supervisor.file("starts")).expect("a folder").count()
}

fn everybody_once(supervisor: &Supervisor) {
    for name in names() {
        let starts = std::fs::read_to_string(supervisor.file("starts").join(&name)).unwrap_or_default();
        assert_eq!(starts, "started\n", "`{name}` was started once, and lives");
        assert!(lives(supervisor.main_pid(&name)), "{name}");
    }
}

/// The numbers in all generations of a log: each line whole.
fn numbers(supervisor: &Supervisor, name: &str) -> Vec<u64> {
    let current = supervisor.layout.logs_of(name).join("current.log");
    let mut all = String::new();
    for file in read::generations(&current, None).iter().chain([&current]) {
        all += &std::fs::read_to_string(file).unwrap_or_default();
    }
    let whole = all.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| {
            line.strip_prefix("line ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("`{line}`"))
        })
        .collect()
}

#[test]
fn killed_in_the_middle_of_a_hundred_starts() {
    let mut supervisor = Supervisor::start();
    install(&supervisor, "1000", |web| {
        web.ready = Some(Ready { when: ReadyWhen::Log("line 2".into()), timeout: std::time::Duration::from_secs(60) });
    });
    for wanted in [1, CROWD / 3, 2 * CROWD / 3] {
        let _answer = start_all(&supervisor);
        until(|| started(&supervisor) >= wanted).expect("some have started");
        supervisor.kill();
        supervisor.start_again();
    }
    let _answer = start_all(&supervisor);
    for name in names() {
        supervisor.wait(&name, |record| {
            record.machine.current.has_main() && matches!(record.machine.word(), State::Starting | State::Running)
        });
    }
    until(|| started(&supervisor) == CROWD).expect("all have started");
    everybody_once(&supervisor);
    let names = names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(supervisor.verb(Ask::Stop, &names).len(), CROWD);
}

#[test]
fn killed_while_a_hundred_run_nothing_is_lost_that_they_write_meanwhile() {
    let mut supervisor = Supervisor::start();
    // A line right away, and then none until it is told to: nothing is between the pipe and the file when the
    // supervisor dies.
    let tick = supervisor.file("tick").display().to_string();
    install(&supervisor, "0", |web| {
        web.exec = sh("i=0; while read -r _; do i=$((i+1)); echo line $i; done < \"$0\"");
        web.exec.push(format!("{tick}.{}", web.name));
    });
    for name in names() {
        let path = format!("{tick}.{name}");
        nix::unistd::mkfifo(path.as_str(), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    }
    let mut ticks: Vec<std::fs::File> = names()
        .iter()
        .map(|name| std::fs::File::options().read(true).write(true).open(format!("{tick}.{name}")).expect("open"))
        .collect();
    let mut write = |count: usize| {
        use std::io::Write;
        for file in &mut ticks {
            file.write_all("\n".repeat(count).as_bytes()).expect("write");
        }
    };
    let names_of_all = names();
    let all: Vec<&str> = names_of_all.iter().map(String::as_str).collect();
    supervisor.verb(Ask::Start, &all);
    let mains: Vec<u32> = all.iter().map(|name| supervisor.main_pid(name)).collect();
    write(10);
    let have = |supervisor: &Supervisor, count: u64| {
        let wanted: Vec<u64> = (1..=count).collect();
        for name in names() {
            until(|| numbers(supervisor, &name).len() as u64 >= count).unwrap_or_else(|()| panic!("{name} lost lines"));
            assert_eq!(numbers(supervisor, &name), wanted, "{name}");
        }
    };
    have(&supervisor, 10);
    supervisor.kill();
    write(10);
    supervisor.start_again();
    write(10);
    have(&supervisor, 30);
    for (name, main) in all.iter().zip(mains) {
        assert_eq!(supervisor.main_pid(name), main, "`{name}` is the same");
    }
    assert_eq!(supervisor.verb(Ask::Stop, &all).len(), CROWD);
}

#[test]
fn killed_in_the_middle_of_rotations_it_goes_on_with_them_and_nothing_is_written_twice() {
    let mut supervisor = Supervisor::start();
    let mut web = service("web", child(&["lines", "100000000"]));
    web.logs.max_size = Some(256 << 10);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let current = supervisor.layout.logs_of("web").join("current.log");
    let generations = || read::generations(&current, None);
    for _ in 0..KILLS {
        let before = generations().len();
        until(|| generations().len() > before + 5).expect("it rotates");
        supervisor.kill();
        supervisor.start_again();
    }
    assert_eq!(supervisor.wait_state("web", State::Running).machine.restarts, 0);
    supervisor.stop_unit("web").expect("stopped");
    let text: Vec<u8> = generations().iter().flat_map(|file| std::fs::read(file).expect("a generation")).collect();
    let text = String::from_utf8(text).expect("text");
    let lines = text.lines().map(|line| line.strip_prefix("line ").and_then(|number| number.parse::<u64>().ok()));
    let (whole, broken): (Vec<_>, Vec<_>) = lines.partition(Option::is_some);
    // What was between the pipe and the file is lost with the supervisor: one read each time.
    assert!(broken.len() <= KILLS, "{} lines are broken", broken.len());
    let whole: Vec<u64> = whole.into_iter().flatten().collect();
    let back = whole.windows(2).filter(|pair| pair[0] >= pair[1]).count();
    assert!(back <= KILLS, "only the number in a broken line may be out of order: {back}");
    let gaps = whole.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(gaps <= 2 * KILLS, "{gaps} gaps");
}
