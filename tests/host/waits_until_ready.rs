use std::net::TcpListener;
use std::time::Duration;

use daemonctl::report::{Effect, State};
use daemonctl::service::{Health, HealthAction, HealthCheck, Kind, Probe, Ready, ReadyWhen, RestartPolicy, WaitFor};

use super::support::*;

#[expect(clippy::unnecessary_wraps, reason = "as the service has it")]
fn ready(when: ReadyWhen) -> Option<Ready> {
    Some(Ready { when, timeout: Duration::from_secs(10) })
}

#[test]
fn by_sd_notify() {
    let supervisor = Supervisor::start();
    let mut web = service("web", child(&["notify", "--after", "50", "--status", "well"]));
    web.ready = ready(ReadyWhen::Notify);
    supervisor.install(&web);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
}

#[test]
fn by_tcp_and_http_and_file_and_command_and_delay() {
    let supervisor = Supervisor::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            use std::io::{Read, Write};
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    let flag = supervisor.file("flag");
    let url = format!("http://127.0.0.1:{port}/ready");
    let signs = [
        ReadyWhen::Probe(Probe::Tcp(format!("127.0.0.1:{port}"))),
        ReadyWhen::Probe(Probe::Http { url, status: vec![204] }),
        ReadyWhen::Probe(Probe::File(flag.clone())),
        ReadyWhen::Probe(Probe::Exec(vec!["/usr/bin/test".into(), "-e".into(), flag.display().to_string()])),
        ReadyWhen::Delay(Duration::from_millis(50)),
    ];
    for (index, when) in signs.into_iter().enumerate() {
        let name = format!("web{index}");
        let mut web = service(&name, sh(&format!("sleep 0.1; touch {}; exec sleep 1000", flag.display())));
        web.ready = ready(when);
        supervisor.install(&web);
        assert_eq!(supervisor.start_unit(&name), Ok(Effect::Started), "{name}");
        let _ = std::fs::remove_file(&flag);
    }
}

#[test]
fn never_is_a_time_out_with_its_exit_code() {
    let supervisor = Supervisor::start();
    let mut web = service("web", child(&["sleep"]));
    web.ready = Some(Ready { when: ReadyWhen::Log("never".into()), timeout: Duration::from_millis(200) });
    web.restart.policy = RestartPolicy::Never;
    supervisor.install(&web);
    let trouble = supervisor.start_unit("web").expect_err("it says nothing");
    assert_eq!(trouble.exit, 8);
    assert_eq!(trouble.message, "`web` did not start: it did not become ready within 200ms");
    supervisor.wait_state("web", State::Failed);
}

#[test]
fn conditions_are_waited_for_first() {
    let supervisor = Supervisor::start();
    let mut web = service("web", child(&["sleep"]));
    let flag = supervisor.file("flag");
    web.wait_for = vec![WaitFor { probe: Probe::File(flag.clone()), timeout: Duration::from_secs(10) }];
    supervisor.install(&web);
    std::thread::scope(|scope| {
        let start = scope.spawn(|| supervisor.start_unit("web"));
        supervisor.wait("web", |record| record.waiting.is_some());
        std::fs::write(&flag, "").expect("write");
        assert_eq!(start.join().expect("joined"), Ok(Effect::Started));
    });
}

#[test]
fn the_unhealthy_is_restarted() {
    let supervisor = Supervisor::start();
    let mut web = service("web", child(&["sleep"]));
    let flag = supervisor.file("flag");
    std::fs::write(&flag, "").expect("write");
    web.health = Some(Box::new(Health {
        check: HealthCheck::Probe(Probe::File(flag.clone())),
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(20),
        failures: 2,
        successes: 1,
        start_period: Duration::ZERO,
        action: HealthAction::Restart,
    }));
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    supervisor.wait("web", |record| record.healthy == Some(true));
    std::fs::remove_file(&flag).expect("remove");
    let record = supervisor.wait("web", |record| record.machine.restarts >= 1);
    assert!(record.last_exit().expect("an end").reason.contains("unhealthy"), "{record:?}");
}

#[test]
fn a_oneshot_is_done_when_it_has_ended_well() {
    let supervisor = Supervisor::start();
    let mut once = service("once", sh("sleep 0.05; echo done"));
    once.kind = Kind::Oneshot;
    once.restart.policy = RestartPolicy::OnFailure;
    supervisor.install(&once);
    assert_eq!(supervisor.start_unit("once"), Ok(Effect::Started));
    assert_eq!(supervisor.record("once").expect("known").machine.word(), State::Completed);
}
