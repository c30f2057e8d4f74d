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
