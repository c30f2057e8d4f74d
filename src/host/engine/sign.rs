//! The signature of a webhook's request, as [Standard Webhooks](https://www.standardwebhooks.com) has it: HMAC-SHA256
//! over the request's id, its time and its body.
//!
//! ```text
//! Webhook-Id: evt_...                     the same for every try of one event
//! Webhook-Timestamp: 1767312000           seconds since 1970, of this try
//! Webhook-Signature: v1,BASE64            of ID.TIMESTAMP.BODY
//! ```
//! A key that begins with `whsec_` is base64 from there on; any other is taken as it is, less one newline at its end.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::service::Secret;

/// The headers of a request with this body, now.
pub(super) fn headers(secret: &Secret, body: &[u8]) -> Result<String, String> {
    signed(&key(secret)?, crate::host::wall::now().as_second(), body)
}

fn signed(key: &[u8], time: i64, body: &[u8]) -> Result<String, String> {
    let id = Sha256::digest(body).iter().take(12).fold("evt_".to_owned(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    });
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(body);
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    Ok(format!("Webhook-Id: {id}\r\nWebhook-Timestamp: {time}\r\nWebhook-Signature: v1,{signature}\r\n"))
}

/// The key, if nobody else can know it.
fn key(secret: &Secret) -> Result<Vec<u8>, String> {
    // Of the other sources install has made files.
    let Secret::File(path) = secret else { return Err("its secret is no file; install it again".to_owned()) };
    let shown = path.display();
    let text = crate::host::sys::read_private(path).map_err(|error| format!("its secret `{shown}`: {error}"))?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let key = match text.strip_prefix(b"whsec_") {
        Some(coded) => BASE64_STANDARD
            .decode(coded)
            .map_err(|error| format!("its secret `{shown}` is no base64 behind `whsec_`: {error}"))?,
        None => text.to_vec(),
    };
    if key.is_empty() { Err(format!("its secret `{shown}` is empty")) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_others() {
        // By `printf %s 'evt_....1614265330.{"test": 2432232314}' | openssl dgst -sha256 -hmac KEY -binary | base64`.
        let headers = signed(b"a very secret key", 1_614_265_330, br#"{"test": 2432232314}"#).unwrap();
        let lines: Vec<&str> = headers.lines().collect();
        assert_eq!(lines[0], "Webhook-Id: evt_ae858931f67887e8150d6f96");
        assert_eq!(lines[1], "Webhook-Timestamp: 1614265330");
        assert_eq!(lines[2], "Webhook-Signature: v1,V0jv0itOz3SXXMLvSdtnmhpJHCBwFUGDhkADj90Rt+s=");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_raw_or_base64_and_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let secret = Secret::File(path.clone());
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            key(&secret)
        };
        assert_eq!(write("raw\n", 0o600), Ok(b"raw".to_vec()));
        assert_eq!(write("whsec_AAEC\n", 0o640), Ok(vec![0, 1, 2]));
        assert!(write("whsec_***", 0o600).unwrap_err().contains("base64"));
        assert!(write("\n", 0o600).unwrap_err().contains("empty"));
        assert!(write("raw", 0o644).unwrap_err().contains("everybody"));
        assert!(key(&Secret::Env("X".into())).is_err());
    }
}
