//! Asking something for an answer: tcp, http and https, a command, a file.

use std::time::Duration;

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
                let got = super::http::request("GET", url, &[]).await?;
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
