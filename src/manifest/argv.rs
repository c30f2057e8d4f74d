//! Commands: a list of arguments, or one string that is split.

use serde_json::json;
use toml::de::DeValue;

use super::decode::{At, Decoder, Defs, Raw, Value};
use super::error::ManifestError;
use super::source::Span;
use super::split::{Remedy, split};
use super::text::{Text, checked};

/// An argv; the first item is the program.
#[derive(Debug, Clone)]
pub(crate) struct Argv(pub(crate) Vec<At<String>>);

const EXPECTED: &str = "a list of arguments such as [\"./web\", \"--port\", \"80\"], or one string";

impl Value for Argv {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        let items = match raw.get_ref() {
            DeValue::String(text) => from_string(text, raw.span().into(), cx)?,
            DeValue::Array(_) => {
                let list = cx.list::<Text>(raw, EXPECTED)?;
                list.into_iter().map(|item| At { value: item.value.0, at: item.at }).collect()
            }
            _ => return cx.mistyped(raw, EXPECTED),
        };
        Self::checked(items, raw.span().into(), cx)
    }

    fn schema(_: &mut Defs) -> serde_json::Value {
        json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ] })
    }
}

impl Argv {
    /// There is a program, and it can be one.
    fn checked(items: Vec<At<String>>, at: Span, cx: &mut Decoder<'_>) -> Option<Self> {
        let fault = match items.first() {
            None => Some((at, "has no program")),
            Some(program) if program.value.trim().is_empty() => Some((program.at, "has an empty program")),
            Some(program) if program.value.contains(char::is_control) => {
                Some((program.at, "has a control character in the program's name"))
            }
            Some(_) => None,
        };
        match fault {
            Some((at, what)) => {
                let error = ManifestError::new(at, format!("`{}` {what}", cx.key()));
                cx.refuse(error.expected(format!("expected {EXPECTED}")))
            }
            None => Some(Self(items)),
        }
    }
}

fn from_string(text: &str, at: Span, cx: &mut Decoder<'_>) -> Option<Vec<At<String>>> {
    let words = match split(text) {
        Ok(words) => words,
        Err(fault) => {
            let error =
                ManifestError::new(inside(text, at, fault.range, cx), format!("`{}`: {}", cx.key(), fault.message));
            let error = match fault.remedy {
                Remedy::Shell => {
                    let script = text.trim().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                    let script = script.replace("$(", "$$(");
                    error.expected("the command is never given to a shell").hint(format!(
                        "quote it where the text itself is meant, or ask for a shell: [\"sh\", \"-c\", \"{script}\"]"
                    ))
                }
                Remedy::Env => error.hint("write it under `env`"),
                Remedy::Home => error.hint("write `${env.HOME}`, or a path that begins at the manifest's folder"),
                Remedy::List => {
                    error.hint("write a list, with the path in single quotes: ['C:\\app\\web.exe', \"--port\", \"80\"]")
                }
                Remedy::Close => error.hint("close it, or escape it with a backslash"),
                Remedy::Remove => error.hint("remove it, or put it in quotes"),
            };
            return cx.refuse(error);
        }
    };
    let mut items = Vec::with_capacity(words.len());
    let mut clean = true;
    for word in words {
        clean &= checked(&word, at, cx);
        items.push(At { value: word, at });
    }
    clean.then_some(items)
}

/// The place of a part of a string, where it is written without escapes; else the whole.
fn inside(text: &str, at: Span, part: std::ops::Range<usize>, cx: &Decoder<'_>) -> Span {
    let written = cx.source.slice(at);
    match written.len().checked_sub(text.len()) {
        Some(quotes @ (2 | 6)) if written.get(quotes / 2..written.len() - quotes / 2) == Some(text) => {
            let begin = at.start as usize + quotes / 2;
            Span::new(begin + part.start, begin + part.end)
        }
        _ => at,
    }
}
