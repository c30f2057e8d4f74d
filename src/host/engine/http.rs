//! Requests over http and https, of which only the status of the answer counts: probes, reload actions and webhooks.
//!
//! TLS is rustls with the system's certificates, which are read at the first request that needs them and again when an
//! hour has passed; a supervisor that asks nothing over https pays nothing for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The system's certificates are read again after this time.
const STALE: Duration = Duration::from_secs(3600);

/// A first line of an answer longer than this is no HTTP.
const LONGEST_HEAD: usize = 8192;

/// Makes an HTTP/1.1 request; a body is JSON. The status of its answer; the rest of that is not read.
pub(super) async fn request(method: &str, url: &str, body: &[u8]) -> Result<u16, String> {
    request_with(method, url, "", body).await
}

/// The same with more headers, each with its end of line.
pub(super) async fn request_with(method: &str, url: &str, headers: &str, body: &[u8]) -> Result<u16, String> {
    let config = if url.starts_with("https://") { Some(trusted().await?) } else { None };
    request_trusting(method, url, headers, body, config).await
}

/// Who a URL names: what stands in front of its path.
pub(super) fn receiver(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(from..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| from + at);
    url.get(..end).unwrap_or(url)
}

async fn request_trusting(
    method: &str,
    url: &str,
    headers: &str,
    body: &[u8],
    config: Option<Arc<ClientConfig>>,
) -> Result<u16, String> {
    let place = split(url)?;
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let mut text = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: daemonctl/{}\r\nAccept: */*\r\n{kind}{headers}Content-Length: {}\r\n\
         Connection: close\r\n\r\n",
        place.path,
        place.host,
        env!("CARGO_PKG_VERSION"),
        body.len()
    )
    .into_bytes();
    text.extend_from_slice(body);
    let stream = TcpStream::connect(&place.address).await.map_err(failed)?;
    let head = match config {
        None => exchange(stream, &text).await,
        Some(config) => {
            let name = ServerName::try_from(place.name.clone())
                .map_err(|_| format!("`{}` in `{url}` is no name that a certificate can have", place.name))?;
            match TlsConnector::from(config).connect(name, stream).await {
                Ok(stream) => exchange(stream, &text).await,
                Err(error) => Err(error),
            }
        }
    };
    status(&head.map_err(failed)?).ok_or_else(|| format!("{url}: the answer is no HTTP"))
}

/// Sends the request, and gives the beginning of the answer.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < LONGEST_HEAD {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = line.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

/// Where a URL leads.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// `host:port`.
    address: String,
    /// As in `Host:`.
    host: String,
    /// As in a certificate.
    name: String,
    path: String,
}

fn split(url: &str) -> Result<Place, String> {
    let (rest, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => return Err(format!("`{url}` starts with neither `http://` nor `https://`")),
    };
    // It becomes lines of a request.
    if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err("the URL has a space or a control character in it".to_owned());
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.contains('@') {
        return Err("the URL has a name or a password in it, which would not be sent".to_owned());
    }
    let named = host.rsplit_once(':').filter(|(before, port)| {
        !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && (!before.contains(':') || before.ends_with(']'))
    });
    let address = if named.is_some() { host.to_owned() } else { format!("{host}:{port}") };
    let name = named.map_or(host, |(before, _)| before).trim_start_matches('[').trim_end_matches(']');
    let path = match path.chars().next() {
        None => "/".to_owned(),
        Some('/') => path.to_owned(),
        Some(_) => format!("/{path}"),
    };
    Ok(Place { address, host: host.to_owned(), name: name.to_owned(), path })
}

/// What https is asked with. Reading some hundred certificates takes milliseconds: another thread does it.
async fn trusted() -> Result<Arc<ClientConfig>, String> {
    static KEPT: Mutex<Option<(Arc<ClientConfig>, Instant)>> = Mutex::new(None);
    let kept = KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    if let Some((config, since)) = kept
        && since.elapsed() < STALE
    {
        return Ok(config);
    }
    let config = tokio::task::spawn_blocking(system).await.map_err(|error| error.to_string())??;
    *KEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((Arc::clone(&config), Instant::now()));
    Ok(config)
}

fn system() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(format!("no certificates to trust were found on this machine{why}; install `ca-certificates`"));
    }
    config(roots)
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[test]
    fn urls_come_apart() {
        let apart = |url| split(url).expect("a URL");
        let place = apart("http://h:8080/a?b=1#c");
        assert_eq!((place.address.as_str(), place.host.as_str(), place.path.as_str()), ("h:8080", "h:8080", "/a?b=1"));
        assert_eq!(apart("http://h").address, "h:80");
        assert_eq!(apart("http://[::1]?x").address, "[::1]:80");
        let place = apart("https://[::1]:9/");
        assert_eq!((place.address.as_str(), place.name.as_str()), ("[::1]:9", "::1"));
        let place = apart("https://h/a@b");
        assert_eq!((place.address.as_str(), place.name.as_str()), ("h:443", "h"));
        for wrong in ["ftp://h/", "https://user:word@h/", "http://h/\r\nX: y", "http://h /", "http://h/\u{85}"] {
            assert!(split(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_status_is_the_second_word() {
        assert_eq!(status(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), None);
    }

    /// A server on this machine that answers one request over TLS with what was asked of it.
    async fn answer_one(listener: TcpListener) -> std::io::Result<String> {
        let chain = CertificateDer::from_pem_slice(include_bytes!("../../../tests/data/tls/server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/data/tls/server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![chain], key).unwrap();
        let (stream, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
        let mut asked = Vec::new();
        while !asked.ends_with(b"{}") {
            if stream.read_buf(&mut asked).await? == 0 {
                break;
            }
        }
        stream.write_all(b"HTTP/1.1 202 Accepted\r\n\r\n").await?;
        stream.shutdown().await?;
        Ok(String::from_utf8_lossy(&asked).into_owned())
    }

    #[tokio::test]
    async fn https_is_spoken_with_who_has_a_certificate_that_is_trusted_and_with_nobody_else() {
        let mut roots = RootCertStore::empty();
        let authority = include_bytes!("../../../tests/data/tls/ca.pem");
        roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
        for (roots, trusted) in [(roots, true), (RootCertStore::empty(), false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://127.0.0.1:{}/path", listener.local_addr().unwrap().port());
            let config = config(roots);
            let asking = request_trusting("POST", &url, "", b"{}", Some(config.unwrap()));
            let (answer, asked) = tokio::join!(asking, answer_one(listener));
            if trusted {
                assert_eq!(answer, Ok(202));
                let asked = asked.unwrap();
                assert!(asked.starts_with("POST /path HTTP/1.1\r\n") && asked.contains("application/json"), "{asked}");
            } else {
                let why = answer.unwrap_err();
                assert!(why.contains("certificate"), "{why}");
            }
        }
    }
}
