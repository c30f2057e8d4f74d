//! Asking something for an answer: tcp, http, a command, a file.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::command::{Commands, Setting};
use crate::host::words;
use crate::service::Probe;

/// The probe in words: `tcp 127.0.0.1:80`.
pub(super) fn words_for(probe: &Probe) -> String {
    match probe {
        Probe::Tcp(address) => format!("tcp {address}"),
        Probe::Http { url, .. } => format!("http {url}"),
        Probe::Exec(argv) => format!("exec {}", argv.join(" ")),
        Probe::File(path) => format!("file {}", path.display()),
    }
}

/// Asks once. An error says what came back instead.
pub(super) async fn ask(
    probe: &Probe,
    timeout: Duration,
    commands: &Commands,
    setting: &Setting,
) -> Result<(), String> {
    let asked = async {
        match probe {
            Probe::Tcp(address) => {
                TcpStream::connect(address.as_str()).await.map(drop).map_err(|error| format!("{address}: {error}"))
            }
            Probe::Http { url, status } => {
                let got = http("GET", url, "").await?;
                let well = if status.is_empty() { (200..400).contains(&got) } else { status.contains(&got) };
                if well { Ok(()) } else { Err(format!("{url} answered {got}")) }
            }
            Probe::Exec(argv) => commands.run(argv, setting, timeout).await,
            Probe::File(path) => {
                if path.exists() {
                    Ok(())
                } else {
                    Err(format!("`{}` does not exist", path.display()))
                }
            }
        }
    };
    tokio::time::timeout(timeout, asked)
        .await
        .unwrap_or_else(|_| Err(format!("{}: no answer within {}", words_for(probe), words::duration(timeout))))
}

/// An HTTP/1.1 request; the status of its answer. The body is not read.
pub(super) async fn http(method: &str, url: &str, body: &str) -> Result<u16, String> {
    let (address, host, path) = split(url)?;
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: daemonctl/{}\r\nAccept: */*\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        env!("CARGO_PKG_VERSION"),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < 8192 {
        if stream.read_buf(&mut head).await.map_err(failed)? == 0 {
            break;
        }
    }
    status(&head).ok_or_else(|| format!("{url}: the answer is no HTTP"))
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

/// `http://host:port/path` as address, `Host:` and path.
fn split(url: &str) -> Result<(String, String, String), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("`{url}` does not start with `http://`"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(before, port)| {
        !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && (!before.contains(':') || before.ends_with(']'))
    });
    let address = if has_port { host.to_owned() } else { format!("{host}:80") };
    let path = match path.chars().next() {
        None => "/".to_owned(),
        Some('/') => path.to_owned(),
        Some(_) => format!("/{path}"),
    };
    Ok((address, host.to_owned(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart() {
        let apart = |url| split(url).expect("a URL");
        assert_eq!(apart("http://h:8080/a?b=1"), ("h:8080".into(), "h:8080".into(), "/a?b=1".into()));
        assert_eq!(apart("http://h"), ("h:80".into(), "h".into(), "/".into()));
        assert_eq!(apart("http://[::1]?x").0, "[::1]:80");
        assert_eq!(apart("http://[::1]:9/").0, "[::1]:9");
        assert!(split("https://h/").is_err());
    }

    #[test]
    fn the_status_is_the_second_word() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), None);
    }
}
