//! Probes that hang hold up nobody but their own service.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use daemonctl::report::{Effect, State};
use daemonctl::service::{Health, HealthAction, HealthCheck, Probe, Ready, ReadyWhen};

use super::support::*;

fn health(probe: Probe) -> Health {
    Health {
        check: HealthCheck::Probe(probe),
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(200),
        failures: 1,
        successes: 1,
        start_period: Duration::ZERO,
        action: HealthAction::Event,
    }
}

#[test]
fn fifty_hanging_probes_cost_no_thread_and_no_time_of_others() {
    let supervisor = Supervisor::start();
    // It is connected to, by the kernel, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = silent.local_addr().expect("an address");
    // TEST-NET-1: nobody is there; what comes back, if anything, depends on the network.
    let signs = [
        Probe::Http { url: format!("http://{address}/"), status: Vec::new() },
        Probe::Tcp("192.0.2.1:9".to_owned()),
        Probe::Exec(["/bin/sleep", "1000"].map(str::to_owned).to_vec()),
    ];
    let threads = threads(supervisor.pid());
    let mut units = Vec::new();
    for number in 0..50 {
        let probe = signs[number % signs.len()].clone();
        let mut slow = service(&format!("slow{number}"), child(&["sleep"]));
        if number % 2 == 0 {
            slow.health = Some(Box::new(health(probe)));
        } else {
            slow.ready = Some(Ready { when: ReadyWhen::Probe(probe), timeout: Duration::from_secs(60) });
        }
        supervisor.install(&slow);
        units.push(slow.name);
    }
    supervisor.install(&service("web", child(&["sleep"])));
    std::thread::scope(|scope| {
        let units: Vec<&str> = units.iter().map(String::as_str).collect();
        let supervisor = &supervisor;
        let all = units.clone();
        scope.spawn(move || supervisor.verb(daemonctl::host::control::Ask::Start, &all));
        supervisor.wait("slow49", |record| record.machine.current.has_main());
        supervisor.wait("slow0", |record| record.healthy == Some(false));
        let began = Instant::now();
        assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
        assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!(super::bears_slow_probes::threads(supervisor.pid()), threads);
        // Those that were not ready are in the middle of a probe now.
        let began = Instant::now();
        supervisor.verb(daemonctl::host::control::Ask::Stop, &units);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

#[test]
fn a_probe_command_that_never_ends_is_killed_with_what_it_started() {
    let supervisor = Supervisor::start();
    let pid = supervisor.file("probe");
    let mut exec = sh("sleep 1000 & echo $! > \"$0\"; wait");
    exec.push(pid.display().to_string());
    let mut web = service("web", child(&["sleep"]));
    web.health = Some(Box::new(health(Probe::Exec(exec))));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let probe = pid_in(&pid);
    until(|| !lives(probe)).expect("killed at its timeout");
    let record = supervisor.wait("web", |record| record.healthy == Some(false));
    assert_eq!(record.machine.word(), State::Running, "an event only");
    let message = record.checks[0].message.clone().unwrap_or_default();
    assert!(message.contains("200 ms") || message.contains("200ms") || message.contains("0.2"), "{message}");
    supervisor.stop_unit("web").expect("stopped");
    let last = pid_in(&pid);
    until(|| !lives(last)).expect("no probe is left of a service that is stopped");
}
