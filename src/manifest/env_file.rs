//! `env_file`: files of variables, some of which may be missing.

use serde_json::json;
use toml::de::DeValue;

use super::decode::{Decoder, Defs, Raw, Value, table};
use super::text::PathText;

table! {
    /// A file of NAME=value lines.
    EnvFileTable "env_file" "an entry of `env_file`" {
        /// Where.
        path: PathText,
        /// May be missing; not unless given.
        optional: bool,
    }
}

/// `"/etc/web.env"` or `{ path = "local.env", optional = true }`.
#[derive(Debug)]
pub(crate) enum EnvFileItem {
    Path(PathText),
    Table(Box<EnvFileTable>),
}

impl Value for EnvFileItem {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match raw.get_ref() {
            DeValue::String(_) => PathText::decode(raw, cx).map(Self::Path),
            DeValue::Table(_) => Box::<EnvFileTable>::decode(raw, cx).map(Self::Table),
            _ => cx.mistyped(raw, "a path, or a table such as { path = \"local.env\", optional = true }"),
        }
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({ "anyOf": [PathText::schema(defs), Box::<EnvFileTable>::schema(defs)] })
    }
}
