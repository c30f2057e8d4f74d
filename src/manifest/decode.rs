//! From TOML values to tables: one declaration a table gives the struct, its decoder with positions, the list of its
//! keys and its JSON Schema.

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::error::{ManifestError, nearest, one_of, shown};
use super::source::{Source, Span};
use crate::key::Key;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) at: Span,
}

/// A key's value, with the places of the key and of the value.
#[derive(Debug)]
pub(crate) struct Field<T> {
    pub(crate) value: T,
    pub(crate) key: Span,
    pub(crate) at: Span,
}

/// A TOML value as the parser gives it.
pub(crate) type Raw<'a> = Spanned<DeValue<'a>>;

/// Takes values and collects what is wrong with them.
pub(crate) struct Decoder<'s> {
    pub(crate) source: &'s Source,
    pub(crate) errors: Vec<ManifestError>,
    /// The key whose value is being read, for messages.
    key: &'static str,
}

impl<'s> Decoder<'s> {
    pub(crate) const fn new(source: &'s Source) -> Self {
        Self { source, errors: Vec::new(), key: "" }
    }

    /// Reads the value of `key`.
    pub(crate) fn field<T: Value>(&mut self, name: &'static str, key: Span, raw: &Raw<'_>) -> Option<Field<T>> {
        self.under(name, |cx| T::decode(raw, cx)).map(|value| Field { value, key, at: raw.span().into() })
    }

    /// Reads something in the name of this key.
    pub(crate) fn under<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.key, name);
        let value = read(self);
        self.key = outer;
        value
    }

    /// The value is of another type. Gives None, for `return`.
    pub(crate) fn mistyped<T>(&mut self, raw: &Raw<'_>, expected: &str) -> Option<T> {
        self.mistyped_hint(raw, expected, None)
    }

    /// The same with a remedy.
    pub(crate) fn mistyped_hint<T>(&mut self, raw: &Raw<'_>, expected: &str, hint: Option<String>) -> Option<T> {
        let message = format!("`{}` cannot be {}", self.key, type_name(raw.get_ref()));
        self.errors
            .push(ManifestError::new(raw.span(), message).expected(format!("expected {expected}")).maybe_hint(hint));
        None
    }

    /// The value is of the right type and still impossible. Gives None, for `return`.
    pub(crate) fn refuse<T>(&mut self, error: ManifestError) -> Option<T> {
        self.errors.push(error);
        None
    }

    /// The key whose value is being read.
    pub(crate) const fn key(&self) -> &'static str {
        self.key
    }

    /// Every item of a list by itself, so that each fault is shown. None where one is wrong.
    pub(crate) fn list<T: Value>(&mut self, raw: &Raw<'_>, expected: &str) -> Option<Vec<At<T>>> {
        let DeValue::Array(items) = raw.get_ref() else {
            let hint = matches!(raw.get_ref(), DeValue::String(_) | DeValue::Integer(_))
                .then(|| format!("put it in brackets: [{}]", self.source.slice(raw.span().into())));
            return self.mistyped_hint(raw, expected, hint);
        };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            if let Some(value) = T::decode(item, self) {
                list.push(At { value, at: item.span().into() });
            }
        }
        (list.len() == items.len()).then_some(list)
    }

    pub(crate) fn unknown_key(&mut self, name: &str, at: Span, known: &[&str], place: &str) {
        let error = ManifestError::new(at, format!("unknown key `{}`", shown(name)));
        let error = match nearest(name, known.iter().copied()) {
            Some(meant) => error.expected(format!("not a key of {place}")).hint(format!("did you mean `{meant}`?")),
            None => error.expected(format!("not a key of {place}, which has {}", one_of(known.iter().copied()))),
        };
        self.errors.push(error);
    }
}

/// The TOML type in words.
pub(crate) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Told of each key that a table gives: the key, its place, and the group of keys of which one only can hold.
pub(crate) type Visitor<'v> = &'v mut dyn FnMut(Key, Span, Option<&'static str>);

/// Something that can stand behind a key.
pub(crate) trait Value: Sized {
    /// Reads it; what is wrong goes to the decoder.
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self>;

    /// Its JSON Schema; tables put theirs among the definitions and refer to it.
    fn schema(defs: &mut Defs) -> serde_json::Value;

    /// The keys that it gives; only tables have some.
    fn visit(&self, _: Visitor<'_>) {}

    /// The paths of all keys below it, for the test that holds them against [`Key::ALL`]; only tables have some.
    #[cfg(test)]
    fn leaves(_: &str, _: &mut Vec<String>) {}
}

/// `$defs` of the JSON Schema.
pub(crate) type Defs = serde_json::Map<String, serde_json::Value>;

/// A set of keys.
pub(crate) trait Table: Default {
    /// Its name in messages and in the schema: `[service.NAME.ready]`.
    const PLACE: &'static str;
    const DEF: &'static str;
    /// Its keys as users write them.
    const NAMES: &'static [&'static str];

    /// Takes the value of a key; false: there is no such key.
    fn set(&mut self, name: &str, key: Span, raw: &Raw<'_>, cx: &mut Decoder<'_>) -> bool;
    /// Notes that some of its keys could not be read, so that nothing is said to be missing.
    fn set_broken(&mut self);
    fn visit_keys(&self, visitor: Visitor<'_>);
    #[cfg(test)]
    fn key_leaves(prefix: &str, out: &mut Vec<String>);
    fn properties(defs: &mut Defs) -> serde_json::Value;
    fn doc() -> String;

    /// A key that is not in the declaration.
    fn set_other(&mut self, name: &str, key: Span, _: &Raw<'_>, cx: &mut Decoder<'_>) {
        cx.unknown_key(name, key, Self::NAMES, Self::PLACE);
        self.set_broken();
    }
}

/// Reads a table.
pub(crate) fn decode_table<T: Table>(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Box<T>> {
    let DeValue::Table(entries) = raw.get_ref() else {
        let expected = match T::PLACE.strip_prefix('[') {
            Some(_) => format!("a table: {}", T::PLACE),
            None => format!("a table with {}", one_of(T::NAMES.iter().copied())),
        };
        return cx.mistyped(raw, &expected);
    };
    // In its box from the start: a service's table is some kilobytes, and there may be a thousand.
    let mut table = Box::<T>::default();
    for (key, value) in entries {
        if !table.set(key.get_ref(), key.span().into(), value, cx) {
            table.set_other(key.get_ref(), key.span().into(), value, cx);
        }
    }
    Some(table)
}

impl<T: Table> Value for Box<T> {
    fn decode(raw: &Raw<'_>, cx: &mut Decoder<'_>) -> Option<Self> {
        decode_table(raw, cx)
    }

    fn schema(defs: &mut Defs) -> serde_json::Value {
        if !defs.contains_key(T::DEF) {
            defs.insert(T::DEF.to_owned(), serde_json::Value::Null); // a table may hold itself
            let properties = T::properties(defs);
            let schema = json!({
                "description": T::doc(),
                "type": "object",
                "properties": properties,
                "additionalProperties": false,
            });
            defs.insert(T::DEF.to_owned(), schema);
        }
        json!({ "$ref": format!("#/$defs/{}", T::DEF) })
    }

    fn visit(&self, visitor: Visitor<'_>) {
        self.visit_keys(visitor);
    }

    #[cfg(test)]
    fn leaves(prefix: &str, out: &mut Vec<String>) {
        T::key_leaves(prefix, out);
    }
}

/// Lines of a doc comment as one text.
pub(crate) fn doc_text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The schema of a key: its type, and its documentation unless the type brings its own by reference.
pub(crate) fn described(mut schema: serde_json::Value, doc: &str) -> serde_json::Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), doc.into());
    }
    schema
}

macro_rules! spelled {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $spelled:literal) => {
        $spelled
    };
}

macro_rules! visit_field {
    ($field:expr, $visitor:ident) => {
        $crate::manifest::decode::Value::visit(&$field.value, $visitor)
    };
    ($field:expr, $visitor:ident, $key:ident) => {
        $visitor($crate::key::Key::$key, $field.key, None)
    };
    ($field:expr, $visitor:ident, $key:ident, $group:literal) => {
        $visitor($crate::key::Key::$key, $field.key, Some($group))
    };
}

#[cfg(test)]
macro_rules! leaf_of {
    ($prefix:ident, $name:expr, $kind:ty, $out:ident) => {
        <$kind as $crate::manifest::decode::Value>::leaves(&format!("{}{}.", $prefix, $name), $out)
    };
    ($prefix:ident, $name:expr, $kind:ty, $out:ident, $key:ident) => {{
        debug_assert_eq!($crate::key::Key::$key.path(), format!("{}{}", $prefix, $name));
        $out.push(format!("{}{}", $prefix, $name));
    }};
}

/// Declares a table of the manifest:
/// ```text
/// table! {
///     /// What it is for.
///     WatchTable "watch" "[service.NAME.watch]" {
///         /// What the key means; this is also what editors show.
///         paths: List<PathText> = WatchPaths,
///         kind as "type": Kind = Type,              // a key that Rust can't spell
///         tcp: Endpoint = ReadyTcp in "ready",      // of the keys in "ready" only one can hold
///         nested: Box<OtherTable>,                  // a table below: its keys have their own Key
///     }
/// }
/// ```
macro_rules! table {
    ($(#[doc = $doc:literal])* $name:ident $def:literal $place:literal {
        $($(#[doc = $fdoc:literal])* $field:ident $(as $spelled:literal)? : $kind:ty $(= $key:ident $(in $group:literal)?)?,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $($(#[doc = $fdoc])* pub(crate) $field: Option<$crate::manifest::decode::Field<$kind>>,)*
            /// Some key could not be read.
            pub(crate) broken: bool,
        }

        impl $crate::manifest::decode::Table for $name {
            const PLACE: &'static str = $place;
            const DEF: &'static str = $def;
            const NAMES: &'static [&'static str] = &[$($crate::manifest::decode::spelled!($field $($spelled)?),)*];

            fn set(
                &mut self,
                name: &str,
                key: $crate::manifest::source::Span,
                raw: &$crate::manifest::decode::Raw<'_>,
                cx: &mut $crate::manifest::decode::Decoder<'_>,
            ) -> bool {
                $(if name == $crate::manifest::decode::spelled!($field $($spelled)?) {
                    self.$field = cx.field($crate::manifest::decode::spelled!($field $($spelled)?), key, raw);
                    self.broken |= self.$field.is_none();
                    return true;
                })*
                false
            }

            fn set_broken(&mut self) {
                self.broken = true;
            }

            fn visit_keys(&self, visitor: $crate::manifest::decode::Visitor<'_>) {
                $(if let Some(field) = &self.$field {
                    $crate::manifest::decode::visit_field!(field, visitor $(, $key $(, $group)?)?);
                })*
            }

            #[cfg(test)]
            fn key_leaves(prefix: &str, out: &mut Vec<String>) {
                $($crate::manifest::decode::leaf_of!(
                    prefix, $crate::manifest::decode::spelled!($field $($spelled)?), $kind, out $(, $key)?
                );)*
            }

            fn properties(defs: &mut $crate::manifest::decode::Defs) -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                $(properties.insert(
                    $crate::manifest::decode::spelled!($field $($spelled)?).to_owned(),
                    $crate::manifest::decode::described(
                        <$kind as $crate::manifest::decode::Value>::schema(defs),
                        &$crate::manifest::decode::doc_text(&[$($fdoc),*]),
                    ),
                );)*
                serde_json::Value::Object(properties)
            }

            fn doc() -> String {
                $crate::manifest::decode::doc_text(&[$($doc),*])
            }
        }
    };
}

/// Declares the words that an enum is written as: `words! { Start { Boot = "boot", Manual = "manual" } }`.
macro_rules! words {
    ($name:ty { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $crate::manifest::decode::Value for $name {
            fn decode(
                raw: &$crate::manifest::decode::Raw<'_>,
                cx: &mut $crate::manifest::decode::Decoder<'_>,
            ) -> Option<Self> {
                match $crate::manifest::decode::word(raw, cx, &[$($word),*])? {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn schema(_: &mut $crate::manifest::decode::Defs) -> serde_json::Value {
                serde_json::json!({ "enum": [$($word),*] })
            }
        }
    };
}

#[cfg(test)]
pub(crate) use leaf_of;
pub(crate) use {spelled, table, visit_field, words};

/// One of the words, or an error that lists them.
pub(crate) fn word(raw: &Raw<'_>, cx: &mut Decoder<'_>, words: &[&'static str]) -> Option<&'static str> {
    let list = one_of(words.iter().copied());
    let DeValue::String(text) = raw.get_ref() else {
        return cx.mistyped(raw, &list);
    };
    if let Some(found) = words.iter().copied().find(|word| word == text) {
        return Some(found);
    }
    let bare = text.strip_prefix("SIG").unwrap_or(text);
    let hint = nearest(bare, words.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
    let message = format!("`{}` cannot be `{}`", cx.key(), shown(text));
    cx.refuse(ManifestError::new(raw.span(), message).expected(format!("expected {list}")).maybe_hint(hint))
}
