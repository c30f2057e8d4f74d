//! `instances`: how many of a service there are, or what they are called.

use serde_json::json;
use toml::de::DeValue;

use super::decode::{At, Decoder, Defs, Raw, Value};
use super::error::ManifestError;
use super::name;
use super::text::{Text, integer, no_duplicates};

/// Names of instances; a number makes `1`, `2`, ...
#[derive(Debug)]
pub(crate) struct Instances(pub(crate) Vec<String>);

/// More is a mistake rather than a wish.
const MOST_INSTANCES: i64 = 1000;

impl Value for Instances {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        const EXPECTED: &str = "a number from 1 to 1000, or a list of names such as [\"blue\", \"green\"]";
        let DeValue::Array(_) = raw.get_ref() else {
            let number = integer(raw, cx, EXPECTED)?;
            if (1..=MOST_INSTANCES).contains(&number) {
                return Some(Self((1..=number).map(|number| number.to_string()).collect()));
            }
            let error = ManifestError::new(raw.span(), format!("`instances` cannot be {number}"));
            let hint = (number == 0)
                .then(|| "remove the service to have none, or the key for a service without instances".to_owned());
            return cx.refuse(error.expected(format!("expected {EXPECTED}")).maybe_hint(hint));
        };
        let list: Vec<At<Text>> = cx.list(raw, EXPECTED)?;
        let mut faults = no_duplicates(&list, cx);
        faults.extend(list.iter().filter_map(|item| name::check("an instance", &item.value.0, item.at)));
        if list.is_empty() {
            let error = ManifestError::new(raw.span(), "`instances` is empty");
            return cx.refuse(
                error
                    .expected(format!("expected {EXPECTED}"))
                    .hint("leave the key out for a service without instances"),
            );
        }
        let clean = faults.is_empty();
        cx.errors.extend(faults);
        clean.then(|| Self(list.into_iter().map(|item| item.value.0).collect()))
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": MOST_INSTANCES },
            { "type": "array", "items": { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,79}$" }, "minItems": 1, "uniqueItems": true },
        ] })
    }
}
