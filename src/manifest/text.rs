//! Strings, numbers and lists of a manifest.

use serde_json::json;
use toml::de::DeValue;

use super::decode::{At, Decoder, Defs, Raw, Value};
use super::error::{ManifestError, shown};
use super::interpolate;
use super::source::Span;
use crate::service::INSTANCE_MARK;

/// Any text but one with a NUL character; `${...}` in it is filled in when the manifest is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

/// One line of text without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(pub(crate) String);

/// A path; a relative one is relative to the manifest's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathText(pub(crate) String);

/// What every string is checked for. None where it cannot be one of ours.
fn string(raw: &Raw<'_>, cx: &mut Decoder<'_>, expected: &str) -> Option<String> {
    let DeValue::String(text) = raw.get_ref() else {
        let hint = matches!(raw.get_ref(), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_))
            .then(|| format!("put it in quotes: \"{}\"", cx.source.slice(raw.span().into())));
        return cx.mistyped_hint(raw, expected, hint);
    };
    checked(text, raw.span().into(), cx).then(|| text.clone().into_owned())
}

/// No character that nothing can carry, and `${...}` as it should be.
pub(crate) fn checked(text: &str, at: Span, cx: &mut Decoder<'_>) -> bool {
    if !text.bytes().any(|byte| matches!(byte, 0 | b'$' | 0xee)) {
        return true; // 0xee begins the mark in UTF-8
    }
    if text.contains('\0') {
        let error = ManifestError::new(at, format!("`{}` has a NUL character in it", cx.key()))
            .expected("no argument, variable or path of any operating system can carry it")
            .hint("take it out, or give the value to the program in a file");
        return cx.refuse::<()>(error).is_some();
    }
    if text.contains(INSTANCE_MARK) {
        let error = ManifestError::new(at, format!("`{}` has the private-use character U+E000 in it", cx.key()))
            .expected("daemonctl keeps it for itself")
            .hint("write `${instance}` where the name of the instance is meant");
        return cx.refuse::<()>(error).is_some();
    }
    match interpolate::check(text, at, cx.source) {
        Ok(()) => true,
        Err(errors) => {
            cx.errors.extend(errors);
            false
        }
    }
}

impl Value for Text {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        string(raw, cx, "a string").map(Self)
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string" })
    }
}

/// A control character is refused: nobody can carry it in a name or a path.
fn one_line(raw: &Raw<'_>, cx: &mut Decoder<'_>, expected: &str) -> Option<String> {
    let text = string(raw, cx, expected)?;
    if text.is_empty() {
        let error =
            ManifestError::new(raw.span(), format!("`{}` is empty", cx.key())).expected(format!("expected {expected}"));
        return cx.refuse(error.hint("leave the key out where nothing is meant"));
    }
    if text.contains(char::is_control) {
        let what = if text.contains('\n') { "a newline" } else { "a control character" };
        let error = ManifestError::new(raw.span(), format!("`{}` has {what} in it: `{}`", cx.key(), shown(&text)));
        return cx.refuse(error.expected(format!("expected {expected} in one line")).hint("take it out"));
    }
    Some(text)
}

impl Value for Line {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        one_line(raw, cx, "a string").map(Self)
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

impl Value for PathText {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        one_line(raw, cx, "a path").map(Self)
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// An address that is reached over the network: `http://` or `https://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url(pub(crate) String);

impl Value for Url {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let text = one_line(raw, cx, "a URL such as \"http://127.0.0.1:8080/health\"")?;
        let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        if !text.starts_with("${") && !host.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            let error =
                ManifestError::new(raw.span(), format!("`{}` is no URL with a host: `{}`", cx.key(), shown(&text)));
            return cx.refuse(error.expected("expected `http://` or `https://`, a host, and a path"));
        }
        if host.and_then(|rest| rest.split(['/', '?', '#']).next()).is_some_and(|host| host.contains('@')) {
            let error = ManifestError::new(raw.span(), format!("`{}` has a name or a password in it", cx.key()));
            let error = error.expected("they would not be sent, and everybody can read them in receipts and units");
            return cx.refuse(error.hint("take them out; a webhook is signed with its hook's `secret`"));
        }
        if text.contains(char::is_whitespace) {
            let error = ManifestError::new(raw.span(), format!("`{}` has a space in it", cx.key()));
            return cx.refuse(error.expected("a URL has none").hint("write `%20`"));
        }
        Some(Self(text))
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(pub(crate) String);

impl Value for Endpoint {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        const EXPECTED: &str = "an address such as \"127.0.0.1:5432\"";
        if let DeValue::Integer(_) = raw.get_ref() {
            let port = cx.source.slice(raw.span().into()).to_owned();
            return cx.mistyped_hint(raw, EXPECTED, Some(format!("write \"127.0.0.1:{port}\"")));
        }
        let text = one_line(raw, cx, EXPECTED)?;
        if text.contains("${") {
            return Some(Self(text)); // looked at again when it is filled in
        }
        match endpoint_fault(&text) {
            None => Some(Self(text)),
            Some(fault) => {
                let message = format!("`{}` is no address: {fault} in `{}`", cx.key(), shown(&text));
                cx.refuse(ManifestError::new(raw.span(), message).expected(format!("expected {EXPECTED}")))
            }
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "string", "pattern": ":[^:]+$" })
    }
}

/// What is wrong with `host:port`.
pub(crate) fn endpoint_fault(text: &str) -> Option<&'static str> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Some("there is no port");
    };
    if host.is_empty() {
        return Some("there is no host");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Some("an IPv6 address stands without brackets");
    }
    if host.contains(|c: char| c.is_whitespace() || c == '/') {
        return Some("the host has a space or slash");
    }
    match port.parse::<u16>() {
        Ok(1..) => None,
        _ => Some("the port is not between 1 and 65535"),
    }
}

impl Value for bool {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match raw.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => cx.mistyped(raw, "`true` or `false`"),
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "boolean" })
    }
}

/// Only `true`: the key is left out where it is not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Yes;

impl Value for Yes {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        match raw.get_ref() {
            DeValue::Boolean(true) => Some(Self),
            DeValue::Boolean(false) => {
                let error = ManifestError::new(raw.span(), format!("`{}` cannot be `false`", cx.key()));
                cx.refuse(error.expected("expected `true`").hint("leave the key out"))
            }
            _ => cx.mistyped(raw, "`true`"),
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "const": true })
    }
}

/// A whole number, as wide as TOML has them.
pub(crate) fn integer(raw: &Raw<'_>, cx: &mut Decoder<'_>, expected: &str) -> Option<i64> {
    match raw.get_ref() {
        DeValue::Integer(value) => {
            let number = i64::from_str_radix(value.as_str(), value.radix()).ok();
            if number.is_none() {
                let error = ManifestError::new(raw.span(), format!("`{}` is too large", cx.key()));
                cx.errors.push(error.expected(format!("expected {expected}")));
            }
            number
        }
        DeValue::String(text) if text.parse::<i64>().is_ok() => {
            let hint = format!("write it without quotes: {text}");
            cx.mistyped_hint(raw, expected, Some(hint))
        }
        _ => cx.mistyped(raw, expected),
    }
}

/// A count: a whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    /// Its value; the bounds are within `u32` wherever this is used.
    pub(crate) fn count(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// Its value; the lower bound is not below 0 wherever this is used.
    pub(crate) fn wide(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

/// From 1 to four thousand million.
pub(crate) type Count = Number<1, 0xffff_ffff>;

impl<const MIN: i64, const MAX: i64> Value for Number<MIN, MAX> {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let expected = format!("a whole number from {MIN} to {MAX}");
        let value = integer(raw, cx, &expected)?;
        if (MIN..=MAX).contains(&value) {
            return Some(Self(value));
        }
        let error = ManifestError::new(raw.span(), format!("`{}` cannot be {value}", cx.key()));
        cx.refuse(error.expected(format!("expected {expected}")))
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// A number with or without a fraction.
impl Value for f64 {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let value = match raw.get_ref() {
            DeValue::Float(value) => value.as_str().parse::<Self>().ok(),
            DeValue::Integer(value) => {
                i64::from_str_radix(value.as_str(), value.radix()).ok().and_then(|value| value.to_string().parse().ok())
            }
            _ => return cx.mistyped(raw, "a number such as 1.5"),
        };
        match value {
            Some(value) if value.is_finite() => Some(value),
            _ => {
                let error = ManifestError::new(raw.span(), format!("`{}` is not finite", cx.key()));
                cx.refuse(error.expected("expected a number such as 1.5"))
            }
        }
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "type": "number" })
    }
}

/// A list in brackets.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<At<T>>);

impl<T: Value> Value for List<T> {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        cx.list(raw, "a list in brackets").map(Self)
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({ "type": "array", "items": T::schema(defs) })
    }
}

/// A list in which nothing stands twice.
#[derive(Debug)]
pub(crate) struct Set<T>(pub(crate) Vec<At<T>>);

impl<T: Value + PartialEq> Value for Set<T> {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let list: Vec<At<T>> = cx.list(raw, "a list in brackets")?;
        let faults = no_duplicates(&list, cx);
        let clean = faults.is_empty();
        cx.errors.extend(faults);
        clean.then_some(Self(list))
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({ "type": "array", "items": T::schema(defs), "uniqueItems": true })
    }
}

/// A fault for each item that stands in the list before.
pub(crate) fn no_duplicates<T: PartialEq>(list: &[At<T>], cx: &Decoder<'_>) -> Vec<ManifestError> {
    let fault = |(i, item): (usize, &At<T>)| {
        let first = list[..i].iter().find(|earlier| earlier.value == item.value)?;
        let error =
            ManifestError::new(item.at, format!("`{}` has {} twice", cx.key(), shown(cx.source.slice(item.at))));
        Some(error.related(first.at, "here first").hint("remove one of the two"))
    };
    list.iter().enumerate().filter_map(fault).collect()
}

/// Values by name, in the order of their names.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(At<String>, At<T>)>);

impl<T: Value> Value for Named<T> {
    /// Names become variables of the environment or credentials.
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(entries) = raw.get_ref() else {
            return cx.mistyped(raw, "a table such as { NAME = \"value\" }");
        };
        let mut named = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let at: Span = key.span().into();
            let name = key.get_ref();
            let fits = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !fits {
                let error = ManifestError::new(at, format!("`{}` is no name of a variable", shown(name)));
                let error = error.expected("letters, digits and `_`, no digit first");
                cx.errors.push(error.hint("service managers skip variables with other names in silence"));
            }
            let value = T::decode(value, cx).map(|decoded| At { value: decoded, at: value.span().into() });
            if let (true, Some(value)) = (fits, value) {
                named.push((At { value: name.clone().into_owned(), at }, value));
            }
        }
        (named.len() == entries.len()).then_some(Self(named))
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": T::schema(defs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint_fault;

    #[test]
    fn endpoints() {
        for good in ["127.0.0.1:80", "[::1]:8080", "db.example:5432"] {
            assert_eq!(endpoint_fault(good), None, "{good}");
        }
        for bad in ["80", ":80", "::1:80", "a b:1", "h:0", "h:65536", "h:http", "http://h:80"] {
            assert!(endpoint_fault(bad).is_some(), "{bad}");
        }
    }
}
