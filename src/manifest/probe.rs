//! What can be asked for an answer: `http`, and the entries of `wait_for`.

use std::time::Duration;

use serde_json::json;
use toml::de::DeValue;

use super::argv::Argv;
use super::build::{Build, key_of};
use super::decode::{At, Decoder, Defs, Raw, Value, table};
use super::source::Span;
use super::text::{Endpoint, Number, PathText, Set, Url};
use super::units::SomeTime;
use crate::service::{Probe, WaitFor};

/// How long a condition is waited for where nothing is said.
const WAIT: Duration = Duration::from_secs(60);

table! {
    /// An HTTP request that must be answered.
    HttpTable "http" "an HTTP check" {
        /// `http://` or `https://`.
        url: Url,
        /// Statuses that count as an answer; without it 200 to 399.
        status: Set<Number<100, 599>>,
    }
}

/// `"http://..."` or `{ url = "http://...", status = [200] }`.
#[derive(Debug)]
pub(crate) enum Http {
    Url(Url),
    Table(Box<HttpTable>),
}

impl Value for Http {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match raw.get_ref() {
            DeValue::Table(_) => Box::<HttpTable>::decode(raw, cx).map(Self::Table),
            DeValue::String(_) => Url::decode(raw, cx).map(Self::Url),
            _ => cx.mistyped(raw, "a URL, or a table such as { url = \"http://...\", status = [200] }"),
        }
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({ "anyOf": [Url::schema(defs), Box::<HttpTable>::schema(defs)] })
    }
}

/// The probe of `http`.
pub(crate) fn http(http: &Http, at: Span, cx: &mut Build<'_>) -> Option<Probe> {
    match http {
        Http::Url(url) => Some(Probe::Http { url: cx.url(url, at), status: Vec::new() }),
        Http::Table(table) => {
            if !cx.exactly_one("`http`", at, table.broken, &[("url", key_of(table.url.as_ref()))]) {
                return None;
            }
            let url = table.url.as_ref()?;
            let status = table.status.iter().flat_map(|status| &status.value.0);
            let status = status.filter_map(|status| u16::try_from(status.value.0).ok()).collect();
            Some(Probe::Http { url: cx.url(&url.value, url.at), status })
        }
    }
}

table! {
    /// A condition that is waited for before each start.
    WaitTable "wait_for" "an entry of `wait_for`" {
        /// `host:port` that must accept connections.
        tcp: Endpoint,
        /// A URL that must answer.
        http: Http,
        /// A command that must succeed.
        exec: Argv,
        /// A file or folder that must exist.
        path: PathText,
        /// Then the start fails; 60s unless given.
        timeout: SomeTime,
    }
}

/// The condition of one entry.
pub(crate) fn wait_for(entry: &At<Box<WaitTable>>, cx: &mut Build<'_>) -> Option<WaitFor> {
    let WaitTable { tcp, http: url, exec, path, timeout, broken } = &*entry.value;
    let keys = [
        ("tcp", key_of(tcp.as_ref())),
        ("http", key_of(url.as_ref())),
        ("exec", key_of(exec.as_ref())),
        ("path", key_of(path.as_ref())),
    ];
    if !cx.exactly_one("an entry of `wait_for`", entry.at, *broken, &keys) {
        return None;
    }
    let probe = if let Some(tcp) = tcp {
        Probe::Tcp(cx.endpoint(&tcp.value.0, tcp.at))
    } else if let Some(url) = url {
        http(&url.value, url.at, cx)?
    } else if let Some(exec) = exec {
        Probe::Exec(cx.argv(&exec.value))
    } else {
        let path = path.as_ref()?;
        Probe::File(cx.path(&path.value, path.at))
    };
    Some(WaitFor { probe, timeout: timeout.as_ref().map_or(WAIT, |timeout| timeout.value.0) })
}
