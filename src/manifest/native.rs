//! `[service.NAME.systemd]`, `[service.NAME.launchd]` and the like: settings of one manager that have no common meaning,
//! checked for shape here and read by that backend.

use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use super::build::Build;
use super::decode::{Decoder, Defs, Raw, Value, type_name};
use super::error::{ManifestError, nearest, shown};
use super::source::Span;
use super::text::checked;

/// Sections of unit files that daemonctl writes.
const SECTIONS: [&str; 5] = ["Unit", "Service", "Install", "Timer", "Path"];

/// A value with the place that faults in its texts are shown at.
#[derive(Debug)]
pub(crate) enum Native {
    Text(String, Span),
    Other(Json),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

/// What a manager's table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Sections of keys of plain values or lists of them.
    Sections,
    /// Keys of plain values or lists of them.
    Flat,
    /// Anything that a property list can hold.
    Nested,
}

/// `[service.NAME.systemd]`.
#[derive(Debug)]
pub(crate) struct Sections(pub(crate) Box<Native>);

/// `[service.NAME.windows]` and others.
#[derive(Debug)]
pub(crate) struct Flat(pub(crate) Box<Native>);

/// `[service.NAME.launchd]`.
#[derive(Debug)]
pub(crate) struct Nested(pub(crate) Box<Native>);

impl Value for Sections {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        table(raw, cx, Shape::Sections, 0).map(|table| Self(Box::new(table)))
    }

    fn schema(_: &mut Defs) -> Json {
        let scalar = json!({ "type": ["string", "number", "boolean"] });
        let value = json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] });
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^(Unit|Service|Install|Timer|Path|X-[A-Za-z0-9-]+)$" },
            "additionalProperties": { "type": "object", "additionalProperties": value },
        })
    }
}

impl Value for Flat {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        table(raw, cx, Shape::Flat, 1).map(|table| Self(Box::new(table)))
    }

    fn schema(_: &mut Defs) -> Json {
        let scalar = json!({ "type": ["string", "number", "boolean"] });
        json!({ "type": "object", "additionalProperties": { "anyOf": [scalar, { "type": "array", "items": scalar }] } })
    }
}

impl Value for Nested {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        table(raw, cx, Shape::Nested, 0).map(|table| Self(Box::new(table)))
    }

    fn schema(_: &mut Defs) -> Json {
        json!({ "type": "object" })
    }
}

fn table(raw: &Raw<'_>, cx: &mut Decoder<'_>, shape: Shape, depth: usize) -> Option<Native> {
    let DeValue::Table(entries) = raw.get_ref() else {
        let expected = if shape == Shape::Sections && depth == 1 {
            "a table of keys such as { IOWeight = 50 }: each section is a table"
        } else {
            "a table of keys"
        };
        return cx.mistyped(raw, expected);
    };
    let mut made = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = key.get_ref().as_ref();
        if let Some(error) = name_fault(name, key.span().into(), shape, depth) {
            cx.errors.push(error);
            continue;
        }
        let value = if shape == Shape::Sections && depth == 0 {
            table(value, cx, shape, 1)
        } else {
            any(value, cx, shape, depth)
        };
        if let Some(value) = value {
            made.push((name.to_owned(), value));
        }
    }
    (made.len() == entries.len()).then_some(Native::Table(made))
}

fn name_fault(name: &str, at: Span, shape: Shape, depth: usize) -> Option<ManifestError> {
    if shape == Shape::Sections && depth == 0 {
        if SECTIONS.contains(&name)
            || (name.starts_with("X-") && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        {
            return None;
        }
        let error = ManifestError::new(at, format!("`{}` is no section of a unit file", shown(name)));
        let meant = nearest(name, SECTIONS).map(|meant| format!("did you mean `{meant}`?"));
        return Some(
            error.expected("expected `Unit`, `Service`, `Install`, `Timer`, `Path` or `X-...`").maybe_hint(meant),
        );
    }
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric() || byte == b'-' || (shape != Shape::Sections && matches!(byte, b'_' | b'.' | b' '))
    };
    if !name.is_empty() && (shape == Shape::Nested && !name.contains(char::is_control) || name.bytes().all(plain)) {
        return None;
    }
    let error = ManifestError::new(at, format!("`{}` is no name of a native setting", shown(name)));
    Some(error.expected("letters, digits and `-`"))
}

fn any(raw: &Raw<'_>, cx: &mut Decoder<'_>, shape: Shape, depth: usize) -> Option<Native> {
    Some(match raw.get_ref() {
        DeValue::String(text) => {
            let at = raw.span().into();
            if shape != Shape::Nested && text.contains(['\n', '\r']) {
                let error = ManifestError::new(at, "a native setting cannot have a newline in it");
                return cx.refuse(error.hint("write a list: the setting then stands once for each item"));
            }
            if !checked(text, at, cx) {
                return None;
            }
            Native::Text(text.clone().into_owned(), at)
        }
        DeValue::Integer(value) => Native::Other(i64::from_str_radix(value.as_str(), value.radix()).ok()?.into()),
        DeValue::Float(value) => match value.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Native::Other(Json::Number(number)),
            None => return cx.mistyped(raw, "a finite number"),
        },
        DeValue::Boolean(value) => Native::Other((*value).into()),
        DeValue::Array(items) => {
            let nested = |item: &Raw<'_>| matches!(item.get_ref(), DeValue::Array(_) | DeValue::Table(_));
            if let (Some(item), true) = (items.iter().find(|item| nested(item)), shape != Shape::Nested) {
                let error = ManifestError::new(
                    item.span(),
                    format!("a native setting cannot have {} in a list", type_name(item.get_ref())),
                );
                return cx.refuse(error.expected("expected strings, numbers or booleans"));
            }
            let list: Vec<Native> = items.iter().filter_map(|item| any(item, cx, shape, depth + 1)).collect();
            if list.len() < items.len() {
                return None;
            }
            Native::List(list)
        }
        DeValue::Table(_) if shape == Shape::Nested => return table(raw, cx, shape, depth + 1),
        DeValue::Table(_) | DeValue::Datetime(_) => {
            return cx.mistyped(raw, "a string, a number, a boolean or a list of those");
        }
    })
}

/// Lays `under` below what is there, with texts filled in.
pub(crate) fn lay_under(over: &mut Json, under: &Native, cx: &mut Build<'_>) {
    match (over, under) {
        (over @ Json::Null, _) => *over = json(under, cx),
        (Json::Object(map), Native::Table(entries)) => {
            for (key, value) in entries {
                match map.get_mut(key) {
                    Some(over) => lay_under(over, value, cx),
                    None => {
                        map.insert(key.clone(), json(value, cx));
                    }
                }
            }
        }
        _ => {}
    }
}

fn json(native: &Native, cx: &mut Build<'_>) -> Json {
    match native {
        Native::Text(text, at) => Json::String(cx.string(text, *at)),
        Native::Other(value) => value.clone(),
        Native::List(items) => Json::Array(items.iter().map(|item| json(item, cx)).collect()),
        Native::Table(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), json(value, cx))).collect::<Map<_, _>>())
        }
    }
}
