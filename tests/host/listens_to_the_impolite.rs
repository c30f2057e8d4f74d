use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use daemonctl::host::control::{Answer, Ask, socket};
use daemonctl::report::Effect;

use super::support::*;

#[test]
fn a_client_that_says_nothing_and_one_that_never_listens_hurt_nobody() {
    let supervisor = Supervisor::start();
    let path = socket(&supervisor.layout);
    let _silent: Vec<_> = (0..20).map(|_| UnixStream::connect(&path).expect("connect")).collect();
    let mut deaf = UnixStream::connect(&path).expect("connect");
    deaf.write_all(b"{\"version\":1,\"ask\":\"hello\"}\n").expect("write");
    supervisor.install(&service("web", child(&["sleep"])));
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
}

#[test]
fn nonsense_is_answered_as_such() {
    let supervisor = Supervisor::start();
    for (request, wanted) in [
        ("nonsense\n", "this is no request"),
        ("{\"version\":99,\"ask\":\"hello\"}\n", "version 1 of its protocol"),
        ("{\"version\":1,\"ask\":\"dance\"}\n", "this is no request"),
    ] {
        let mut stream = UnixStream::connect(socket(&supervisor.layout)).expect("connect");
        stream.write_all(request.as_bytes()).expect("write");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("an answer");
        assert!(line.contains(wanted), "{line}");
    }
    let answers = supervisor.ask(Ask::Hello);
    assert!(matches!(answers.first(), Some(Answer::Hello { pid, .. }) if *pid == supervisor.pid()), "{answers:?}");
}

#[test]
fn an_unknown_unit_is_not_installed() {
    let supervisor = Supervisor::start();
    let trouble = supervisor.start_unit("ghost").expect_err("there is none");
    assert_eq!((trouble.message.as_str(), trouble.exit), ("`ghost` is not installed", 4));
}

#[test]
fn a_line_without_end_and_bytes_that_are_no_text_are_refused_and_hurt_nobody() {
    let supervisor = Supervisor::start();
    for request in [vec![b'x'; 2 << 20], b"\0\xff\xfe\n".to_vec(), vec![b'['; 100_000], Vec::new()] {
        let mut stream = UnixStream::connect(socket(&supervisor.layout)).expect("connect");
        // It may hang up before it has all.
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut line = String::new();
        let _ = BufReader::new(stream).read_line(&mut line);
        assert!(line.contains("\"is\":\"refused\""), "{line}");
    }
    assert!(!supervisor.ask(Ask::Hello).is_empty());
}

#[test]
fn clients_that_leave_before_their_answer_leave_their_place() {
    let supervisor = Supervisor::start();
    let mut never = service("never", child(&["sleep"]));
    let when = daemonctl::service::ReadyWhen::Notify;
    never.ready = Some(daemonctl::service::Ready { when, timeout: std::time::Duration::from_secs(60) });
    supervisor.install(&never);
    supervisor.install(&service("web", child(&["sleep"])));
    for _ in 0..300 {
        let mut stream = UnixStream::connect(socket(&supervisor.layout)).expect("connect");
        stream.write_all(b"{\"version\":1,\"ask\":\"start\",\"units\":[\"never\"]}\n").expect("write");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("what it waits for");
        assert!(line.contains("waiting"), "{line}");
    }
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    supervisor.stop_unit("never").expect("stopped");
}
