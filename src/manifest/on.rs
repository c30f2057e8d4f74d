//! `[...on.NAME]`: overrides by operating system or backend.

use std::collections::BTreeMap;

use serde_json::json;
use toml::de::DeValue;

use super::decode::{Decoder, Defs, Raw, Value, decode_table};
use super::error::{ManifestError, nearest, one_of, shown};
use super::service::ServiceTable;
use crate::backend::BackendKind;

/// Overrides by operating system or backend.
#[derive(Debug)]
pub(crate) struct On(BTreeMap<&'static str, Box<ServiceTable>>);

const SYSTEMS: [&str; 4] = ["linux", "macos", "windows", "freebsd"];

/// Operating systems first, then backends; `windows` is both.
fn on_names() -> impl Iterator<Item = &'static str> {
    let backends = BackendKind::ALL.iter().map(|kind| kind.name()).filter(|name| !SYSTEMS.contains(name));
    SYSTEMS.into_iter().chain(backends)
}

impl On {
    pub(crate) fn get(&self, name: &str) -> Option<&ServiceTable> {
        self.0.get(name).map(|table| &**table)
    }
}

impl Value for On {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(entries) = raw.get_ref() else {
            return cx.mistyped(raw, "a table: [service.NAME.on.linux]");
        };
        let mut on = BTreeMap::new();
        for (key, value) in entries {
            let Some(name) = on_names().find(|name| name == key.get_ref()) else {
                let error = ManifestError::new(
                    key.span(),
                    format!("`{}` is no operating system or backend", shown(key.get_ref())),
                );
                let meant = nearest(key.get_ref(), on_names()).map(|meant| format!("did you mean `{meant}`?"));
                cx.errors.push(error.expected(format!("expected {}", one_of(on_names()))).maybe_hint(meant));
                continue;
            };
            let Some(table) = decode_table::<ServiceTable>(value, cx) else {
                continue;
            };
            if let Some(inner) = &table.on {
                let error = ManifestError::new(inner.key, "`on` cannot stand below `on`");
                cx.errors.push(error.hint("a backend's overrides come over those of the operating system"));
            }
            on.insert(name, table);
        }
        Some(Self(on))
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        let table = Box::<ServiceTable>::schema(defs);
        let properties: serde_json::Map<_, _> = on_names().map(|name| (name.to_owned(), table.clone())).collect();
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }
}
