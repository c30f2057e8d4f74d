//! The JSON Schema of a manifest, from the same declarations that read it.

use serde_json::json;

use super::decode::{Defs, Value};
use super::service::Root;

/// JSON Schema, draft 2020-12: editors complete and check manifests with it.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut defs = Defs::new();
    let root = Box::<Root>::schema(&mut defs);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "daemonctl manifest",
        "$ref": root["$ref"],
        "$defs": defs,
    })
}
