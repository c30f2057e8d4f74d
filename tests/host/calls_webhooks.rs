use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use daemonctl::events::{Event, Query, What};
use daemonctl::host::events::read;
use daemonctl::report::Effect;
use daemonctl::service::{Hook, HookAction, HookFailure, Secret};

use super::support::*;

fn webhook(listener: &TcpListener, timeout: Duration) -> Hook {
    let url = format!("http://{}/hook?a=1", listener.local_addr().expect("an address"));
    Hook { action: HookAction::Webhook(url), timeout, on_failure: HookFailure::Ignore, secret: None }
}

/// Answers each request with the next of the statuses, the last one for ever; tells of head and body.
fn serve(listener: TcpListener, statuses: &'static [&'static str]) -> mpsc::Receiver<(String, Event)> {
    let (told, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let mut stream = stream.expect("a client");
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            while !text.ends_with(b"}") {
                match stream.read(&mut buffer) {
                    Ok(count @ 1..) => text.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let status = statuses.get(index).or(statuses.last()).expect("a status");
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let text = String::from_utf8(text).expect("text");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
            if told.send((head.to_owned(), serde_json::from_str(body).expect("an event"))).is_err() {
                return;
            }
        }
    });
    asked
}

#[test]
fn a_webhook_gets_each_event_in_order_and_again_where_the_server_is_busy() {
    let supervisor = Supervisor::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut web = service("web", child(&["sleep"]));
    web.hooks.event = vec![webhook(&listener, Duration::from_secs(60))];
    let asked = serve(listener, &["503 Busy", "200 OK"]);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    supervisor.stop_unit("web").expect("stopped");
    let next = || asked.recv_timeout(Duration::from_secs(20)).expect("a request");
    let (head, event) = next();
    assert!(head.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Content-Type: application/json"), "{head}");
    assert_eq!((event.event, event.unit.as_str(), event.host.is_some()), (What::Starting, "web", true));
    let rest: Vec<What> = (0..5).map(|_| next().1.event).collect();
    assert_eq!(rest, [What::Starting, What::Ready, What::Stopping, What::Exited, What::Stopped]);
}

#[test]
fn a_webhook_that_hangs_or_refuses_holds_up_nothing_and_is_in_the_journal() {
    let mut supervisor = Supervisor::start();
    // It accepts, in its backlog, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let refusing = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut web = service("web", child(&["sleep"]));
    web.hooks.event = vec![webhook(&silent, Duration::from_millis(300)), webhook(&refusing, Duration::from_secs(60))];
    let _asked = serve(refusing, &["403 Forbidden"]);
    supervisor.install(&web);
    assert_eq!(supervisor.start_unit("web"), Ok(Effect::Started));
    let failed = |text: &str| {
        let events = read::all(&supervisor.layout, &|_| true, &Query::default()).expect("a journal");
        let is = |event: &Event| event.reason.as_ref().is_some_and(|reason| reason.contains(text));
        events.iter().any(|event| event.event == What::HookFailed && is(event))
    };
    until(|| failed("did not take it within 300ms")).expect("a late hook");
    until(|| failed("answered 403")).expect("a refused hook");
    assert_eq!(supervisor.stop_unit("web"), Ok(Effect::Stopped));
    assert!(supervisor.term());
}

#[test]
fn a_webhook_with_a_secret_is_signed_so_that_its_receiver_can_tell() {
    use base64::Engine as _;
    use hmac::Mac as _;
    use std::os::unix::fs::PermissionsExt;

    let supervisor = Supervisor::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let key = supervisor.file("key");
    std::fs::write(&key, "correct horse\n").expect("write");
    let readable = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("chmod");
    readable(0o600);
    let mut web = service("web", child(&["sleep"]));
    web.hooks.event = vec![webhook(&listener, Duration::from_secs(60))];
    web.hooks.event[0].secret = Some(Secret::File(key.clone()));
    let asked = serve(listener, &["503 Busy", "200 OK"]);
    supervisor.install(&web);
    supervisor.start_unit("web").expect("started");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (head, event) = asked.recv_timeout(Duration::from_secs(20)).expect("a request");
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("no {name} in\n{head}")).to_owned()
        };
        let (id, time) = (header("Webhook-Id"), header("Webhook-Timestamp"));
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"correct horse").expect("a key");
        let body = serde_json::to_string(&event).expect("JSON");
        mac.update(format!("{id}.{time}.{body}").as_bytes());
        let wanted = base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(header("Webhook-Signature"), format!("v1,{wanted}"));
        let now = jiff::Timestamp::now().as_second();
        assert!((now - 60..=now).contains(&time.parse::<i64>().expect("seconds")), "{time}");
        ids.push(id);
    }
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "an event has one id however often it is sent: {ids:?}");

    // A key that everybody can read proves nothing: nothing is sent, and the journal says so.
    readable(0o644);
    supervisor.stop_unit("web").expect("stopped");
    let said = |text: &str| {
        let events = read::all(&supervisor.layout, &|_| true, &Query::default()).expect("a journal");
        events.iter().any(|event| event.reason.as_ref().is_some_and(|reason| reason.contains(text)))
    };
    until(|| said("everybody may get at it")).expect("a word about the key");
    let argv = std::fs::read(format!("/proc/{}/cmdline", supervisor.pid())).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&argv).contains("horse"));
}
