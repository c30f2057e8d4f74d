//! Thresholds and signed webhooks, on each manager by its host.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

use base64::Engine as _;
use hmac::Mac as _;

use crate::support::{PATIENCE, Test, below};

const KEY: &str = "whsec_c2VjcmV0IGtleSBvZiB0aGUgdGVzdA==";

/// Head and body of each request, which is answered with 204.
fn serve(listener: TcpListener) -> mpsc::Receiver<(String, String)> {
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            while !text.ends_with(b"}") {
                match stream.read(&mut buffer) {
                    Ok(count @ 1..) => text.extend_from_slice(&buffer[..count]),
                    _ => break,
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            let text = String::from_utf8(text).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            if sender.send((head.to_owned(), body.to_owned())).is_err() {
                return;
            }
        }
    });
    requests
}

#[test]
fn a_threshold_that_is_exceeded_reaches_a_webhook_signed_with_a_key_that_is_nowhere_to_be_read() {
    let Some(t) = Test::live("alerts") else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = serve(listener);
    t.manifest(&format!(
        "[service.{{p}}a]\nexec = [\"{{child}}\", \"alloc\", \"60000000\"]\nthresholds = {{ memory = \"30MiB\" }}\n\
         hooks = {{ event = [{{ webhook = \"http://127.0.0.1:{port}/hook\", secret = {{ env = \"HOOK_KEY\" }} }}] }}\n"
    ));
    let mut command = t.command(&["install", "manifest.toml"]);
    command.env("HOOK_KEY", KEY);
    let ran = crate::support::Ran::of(command, &["install"]).ok();
    ran.never_says("c2Vjcm");
    let over = loop {
        let (head, body) = requests.recv_timeout(PATIENCE).expect("a request");
        let header = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("no {name} in\n{head}")).to_owned()
        };
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"secret key of the test").unwrap();
        mac.update(format!("{}.{}.{body}", header("Webhook-Id"), header("Webhook-Timestamp")).as_bytes());
        let signature = base64::prelude::BASE64_STANDARD.encode(mac.finalize().into_bytes());
        assert_eq!(header("Webhook-Signature"), format!("v1,{signature}"), "each request is signed");
        let event: serde_json::Value = serde_json::from_str(&body).unwrap();
        if event["event"] == "over-threshold" {
            break event;
        }
    };
    assert_eq!(over["measured"]["measure"], "memory", "{over:#}");
    assert!(over["measured"]["value"].as_f64().unwrap() > 30.0 * 1024.0 * 1024.0, "{over:#}");
    assert!(t.status("{p}a")["notes"].to_string().contains("memory is over its threshold"));
    // The key is in one file, which is its owner's alone.
    let places: Vec<_> = below(&t.state()).into_iter().filter(|(_, text)| text.contains("c2Vjcm")).collect();
    assert_eq!(places.len(), 1, "{:?}", places.iter().map(|(path, _)| path).collect::<Vec<_>>());
    assert_eq!(places[0].0.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    t.run(&["uninstall", "{p}a"]).ok();
    assert!(!places[0].0.exists(), "it goes with the service");
}
