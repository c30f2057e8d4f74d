//! A service on TCP with just enough HTTP for probes.

use super::{Args, Done, say, sys, unknown, write_whole};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

pub(crate) fn serve(mut args: Args) -> Done {
    let port: u16 = args.number("serve PORT")?;
    let mut host = "127.0.0.1".to_owned();
    let (mut after, mut on, mut die, mut port_file, mut sick) = (None, None, None, None, None);
    while let Some(option) = args.option() {
        match option.as_str() {
            "--host" => host = args.text("--host ADDR")?,
            "--ready-after" => after = Some(args.millis("--ready-after MS")?),
            "--ready-on" => on = Some(args.text("--ready-on SIGNAL")?),
            "--die-after" => die = Some(args.millis("--die-after MS")?),
            "--port-file" => port_file = Some(args.need("--port-file FILE")?),
            "--sick-file" => sick = Some(args.need("--sick-file FILE")?),
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    if let Some(die) = die {
        let at = Instant::now() + die;
        std::thread::spawn(move || {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            std::process::exit(1)
        });
    }
    if let Some(name) = on {
        let signals = sys::Signals::on(&[&name])?;
        say("waiting")?;
        signals.wait(None)?;
    }
    if let Some(after) = after {
        std::thread::sleep(after);
    }
    let listener = TcpListener::bind((host.as_str(), port))?;
    let address = listener.local_addr()?;
    if let Some(file) = port_file {
        write_whole(file.as_ref(), format!("{}\n", address.port()).as_bytes())?;
    }
    say(&format!("listening on {address}"))?;
    let sick = Arc::new(sick);
    for client in listener.incoming() {
        let (client, sick) = (client?, Arc::clone(&sick));
        // A client that says nothing (a TCP probe) or hangs must not hold up the next one.
        std::thread::spawn(move || answer(&client, (*sick).as_ref()));
    }
    Ok(0)
}

/// Answers one request; an error is the client's end of it.
fn answer(client: &TcpStream, sick: Option<&OsString>) -> std::io::Result<()> {
    let mut lines = BufReader::new(client).lines();
    let Some(request) = lines.next().transpose()? else {
        return Ok(());
    };
    // To the empty line: a connection closed with unread bytes is reset, and the client loses the answer.
    for line in lines.by_ref() {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let status = match path {
        "/health" if sick.is_some_and(|file| std::path::Path::new(file).exists()) => 503,
        "/health" => 200,
        "/hang" => sys::pause(),
        "/die" => std::process::exit(1),
        other => other.strip_prefix("/status/").and_then(|status| status.parse().ok()).unwrap_or(404),
    };
    let body = format!("{status}\n");
    let mut client = client;
    write!(client, "HTTP/1.1 {status} as asked\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
