//! A supervisor that was started on demand ends when there is nothing left to supervise, and cuts nobody off.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use daemonctl::host::control::{Ask, socket};
use daemonctl::report::Effect;

use super::support::*;

const HELLO: &[u8] = b"{\"version\":1,\"ask\":\"hello\"}\n";

/// So long after its last unit was removed it is gone, and its farewell over.
const GONE: Duration = Duration::from_secs(2);

fn emptied() -> Supervisor {
    let supervisor = Supervisor::start_on_demand();
    supervisor.install(&service("web", child(&["sleep"])));
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    supervisor.stop_unit("web").expect("stopped");
    std::fs::remove_file(supervisor.layout.spec("web")).expect("remove");
    supervisor
}

fn hello(mut stream: &UnixStream, supervisor: &Supervisor) {
    stream.write_all(HELLO).expect("write");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    assert!(line.contains(&format!("\"pid\":{}", supervisor.pid())), "{line:?}");
}

fn ends(mut supervisor: Supervisor) {
    until(|| supervisor.ended().is_some()).expect("it ends");
    assert_eq!(supervisor.ended(), Some(true));
    assert!(!socket(&supervisor.layout).exists());
}

#[test]
fn who_is_connected_is_heard() {
    let supervisor = emptied();
    let early = UnixStream::connect(socket(&supervisor.layout)).expect("connect");
    supervisor.ask(Ask::Load);
    // That time passes is what is tested.
    std::thread::sleep(GONE);
    hello(&early, &supervisor);
    drop(early);
    ends(supervisor);
}

#[test]
fn who_connects_while_it_is_about_to_end_is_heard_and_can_give_it_work() {
    let supervisor = emptied();
    supervisor.ask(Ask::Load);
    signal(supervisor.pid(), libc::SIGSTOP);
    let late = UnixStream::connect(socket(&supervisor.layout)).expect("connect");
    supervisor.install(&service("web", child(&["sleep"])));
    (&late).write_all(b"{\"version\":1,\"ask\":\"load\"}\n").expect("write");
    // Its time is over when it goes on.
    std::thread::sleep(GONE);
    signal(supervisor.pid(), libc::SIGCONT);
    let mut line = String::new();
    BufReader::new(late).read_line(&mut line).expect("an answer");
    assert!(line.contains("\"is\":\"done\""), "{line:?}");
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    supervisor.stop_unit("web").expect("stopped");
    std::fs::remove_file(supervisor.layout.spec("web")).expect("remove");
    supervisor.ask(Ask::Load);
    ends(supervisor);
}
