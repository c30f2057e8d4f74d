//! `[service.NAME.windows]`: settings of the Service Control Manager, each checked in its place.

use serde_json::{Value as Json, json};
use toml::de::DeValue;

use super::decode::{Decoder, Defs, Raw, Value, word};
use super::error::{ManifestError, shown};
use super::native::Native;
use super::source::Span;
use super::text::{checked, integer};
use crate::backend::windows::settings::{NOT_KEYS, SETTINGS, Setting, Shape};

/// The table.
#[derive(Debug)]
pub(crate) struct Windows(pub(crate) Box<Native>);

const PLACE: &str = "[service.NAME.windows]";

impl Value for Windows {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(entries) = raw.get_ref() else {
            return cx.mistyped(raw, "a table of keys");
        };
        let mut made = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
                unknown(name, key.span().into(), cx);
                continue;
            };
            if let Some(value) = cx.under(setting.name, |cx| read(setting, value, cx)) {
                made.push((name.to_owned(), value));
            }
        }
        (made.len() == entries.len()).then(|| Self(Box::new(Native::Table(made))))
    }

    fn schema(_: &mut Defs) -> Json {
        let properties: serde_json::Map<String, Json> = SETTINGS
            .iter()
            .map(|setting| {
                let mut schema = match setting.shape {
                    Shape::Text(_) => json!({ "type": "string" }),
                    Shape::Words(words) => json!({ "enum": words }),
                    Shape::Flag => json!({ "type": "boolean" }),
                    Shape::Texts(_) => json!({ "type": "array", "items": { "type": "string" } }),
                    Shape::Numbers(most) => {
                        json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": most } })
                    }
                };
                schema["description"] = setting.doc.into();
                (setting.name.to_owned(), schema)
            })
            .collect();
        json!({ "type": "object", "additionalProperties": false, "properties": properties })
    }
}

fn unknown(name: &str, at: Span, cx: &mut Decoder<'_>) {
    if let Some((_, instead)) = NOT_KEYS.iter().find(|(other, _)| *other == name) {
        let error = ManifestError::new(at, format!("unknown key `{name}`"));
        cx.errors.push(error.expected(format!("not a key of {PLACE}")).hint(*instead));
        return;
    }
    let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    cx.unknown_key(name, at, &names, PLACE);
}

fn read(setting: &Setting, raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Native> {
    match setting.shape {
        Shape::Text(check) => text(raw, check, cx),
        Shape::Words(words) => word(raw, cx, words).map(|word| Native::Text(word.to_owned(), raw.span().into())),
        Shape::Flag => match raw.get_ref() {
            DeValue::Boolean(value) => Some(Native::Other((*value).into())),
            _ => cx.mistyped(raw, "true or false"),
        },
        Shape::Texts(check) => list(raw, "a list of strings", cx, |item, cx| text(item, check, cx)),
        Shape::Numbers(most) => list(raw, "a list of numbers", cx, |item, cx| {
            let expected = format!("a whole number from 0 to {most}");
            let number = integer(item, cx, &expected)?;
            if (0..=most).contains(&number) {
                return Some(Native::Other(number.into()));
            }
            let error = ManifestError::new(item.span(), format!("`{}` cannot have {number} in it", cx.key()));
            cx.refuse(error.expected(format!("expected {expected}")))
        }),
    }
}

fn text(raw: &Raw<'_>, check: fn(&str) -> Result<(), String>, cx: &mut Decoder<'_>) -> Option<Native> {
    let DeValue::String(text) = raw.get_ref() else {
        return cx.mistyped(raw, "a string");
    };
    let at = raw.span().into();
    if !checked(text, at, cx) {
        return None;
    }
    // What is filled in later is checked with the rest of it when it is known.
    if !text.contains('$')
        && let Err(why) = check(text)
    {
        let error = ManifestError::new(at, format!("`{}` cannot be `{}`", cx.key(), shown(text)));
        return cx.refuse(error.expected(why));
    }
    Some(Native::Text(text.clone().into_owned(), at))
}

fn list(
    raw: &Raw<'_>,
    expected: &str,
    cx: &mut Decoder<'_>,
    mut item: impl FnMut(&Raw<'_>, &mut Decoder<'_>) -> Option<Native>,
) -> Option<Native> {
    let DeValue::Array(items) = raw.get_ref() else {
        let hint = format!("put it in brackets: [{}]", cx.source.slice(raw.span().into()));
        return cx.mistyped_hint(raw, expected, Some(hint));
    };
    let made: Vec<Native> = items.iter().filter_map(|raw| item(raw, cx)).collect();
    (made.len() == items.len()).then_some(Native::List(made))
}
