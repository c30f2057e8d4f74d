//! `umask`: permission bits, in octal.

use serde_json::json;
use toml::de::DeValue;

use super::decode::{Decoder, Defs, Raw, Value};
use super::error::{ManifestError, shown};

/// Permission bits in octal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Umask(pub(crate) u32);

impl Value for Umask {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        const EXPECTED: &str = "octal digits in a string such as \"0027\"";
        let text = match raw.get_ref() {
            DeValue::String(text) => text,
            DeValue::Integer(_) => {
                let digits = cx.source.slice(raw.span().into()).trim_start_matches("0o").to_owned();
                return cx.mistyped_hint(raw, EXPECTED, Some(format!("write \"{digits:0>4}\"")));
            }
            _ => return cx.mistyped(raw, EXPECTED),
        };
        let octal = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        match u32::from_str_radix(text, 8) {
            Ok(bits @ 0..=0o777) if octal => Some(Self(bits)),
            _ => {
                let error = ManifestError::new(raw.span(), format!("`umask` cannot be `{}`", shown(text)));
                cx.refuse(error.expected(format!("expected {EXPECTED}, at most \"0777\"")))
            }
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "pattern": "^[0-7]{1,4}$" })
    }
}
