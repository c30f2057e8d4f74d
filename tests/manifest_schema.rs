//! The JSON Schema and the parser are made of the same declarations; here they are held against each other, and against
//! the examples of the documentation, by a small checker of the keywords that the schema uses.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::fs;
use std::path::{Path, PathBuf};

use daemonctl::manifest::{Starter, parse, schema, starter};
use serde_json::{Value, json};

/// Checks a value. Fails on a keyword that it does not know, so that none is skipped.
struct Checker<'s> {
    root: &'s Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        let mut below = Vec::new();
        let mut fault = |what: String| faults.push(format!("{path}: {what}"));
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            match keyword.as_str() {
                "description" | "title" | "$schema" | "$defs" => {}
                "$ref" => {
                    let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                    let target = self.root.pointer(pointer).expect("a reference leads somewhere");
                    self.check(target, value, path, &mut below);
                }
                "type" => {
                    let types: Vec<&str> = match rule {
                        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                        one => vec![one.as_str().unwrap()],
                    };
                    if !types.iter().any(|name| is(value, name)) {
                        fault(format!("{value} is not {types:?}"));
                    }
                }
                "enum" if !rule.as_array().unwrap().contains(value) => fault(format!("{value} is none of {rule}")),
                "const" if rule != value => fault(format!("{value} is not {rule}")),
                "enum" | "const" => {}
                "anyOf" => {
                    let fits = |schema: &Value| {
                        let mut inner = Vec::new();
                        self.check(schema, value, path, &mut inner);
                        inner.is_empty()
                    };
                    if !rule.as_array().unwrap().iter().any(fits) {
                        fault(format!("{value} fits nothing of {rule}"));
                    }
                }
                "minimum" if value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap()) => {
                    fault(format!("{value} is below {rule}"));
                }
                "maximum" if value.as_f64().is_some_and(|number| number > rule.as_f64().unwrap()) => {
                    fault(format!("{value} is above {rule}"));
                }
                "minLength" | "minItems" if length(value).is_some_and(|length| length < rule.as_u64().unwrap()) => {
                    fault(format!("{value} is too short"));
                }
                "maxLength" if length(value).is_some_and(|length| length > rule.as_u64().unwrap()) => {
                    fault(format!("{value} is too long"));
                }
                // Patterns are for editors; the parser has its own tests, and a regular expression engine is no
                // dependency worth having for this.
                "minimum" | "maximum" | "minLength" | "minItems" | "maxLength" | "pattern" | "propertyNames" => {}
                "uniqueItems" => {
                    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                    if (1..items.len()).any(|i| items[i..].contains(&items[i - 1])) {
                        fault(format!("{value} has something twice"));
                    }
                }
                "items" => {
                    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{path}/{i}"), &mut below);
                    }
                }
                "properties" | "additionalProperties" => {
                    let known = schema.get("properties");
                    for (name, item) in value.as_object().into_iter().flatten() {
                        let path = format!("{path}/{name}");
                        let property = known.and_then(|known| known.get(name));
                        match (keyword.as_str(), property, rule) {
                            ("properties", Some(property), _) => self.check(property, item, &path, &mut below),
                            ("additionalProperties", None, Value::Bool(false)) => {
                                below.push(format!("{path}: there is no such key"));
                            }
                            ("additionalProperties", None, Value::Object(_)) => {
                                self.check(rule, item, &path, &mut below);
                            }
                            _ => {}
                        }
                    }
                }
                other => panic!("the checker does not know `{other}`"),
            }
        }
        faults.append(&mut below);
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("no type `{other}`"),
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => Some(text.chars().count() as u64),
        Value::Array(items) => Some(items.len() as u64),
        _ => None,
    }
}

fn faults(text: &str) -> Vec<String> {
    let value: toml::Table = toml::from_str(text).expect("TOML");
    let schema = schema();
    let mut faults = Vec::new();
    Checker { root: &schema }.check(&schema, &json!(value), "", &mut faults);
    faults
}

fn data() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn examples_parse_and_fit_the_schema() {
    let files = data();
    assert!(files.len() >= 2);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        parse(text.as_bytes(), &path).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(faults(&text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn starters_fit_the_schema() {
    for kind in Starter::ALL {
        let text = starter(kind, "web", &["./web".to_owned(), "--port=80".to_owned()]);
        assert_eq!(faults(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_the_parser_refuses_does_not_fit() {
    let wrong = [
        "manifest = 2\n[service.a]\nexec = 'a'",
        "[service.a]\nexce = 'a'",
        "[service.a]\nexec = 5",
        "[service.a]\nexec = []",
        "[service.a]\nexec = 'a'\nstart = 'late'",
        "[service.a]\nexec = 'a'\nrestart = { delay = 5 }",
        "[service.a]\nexec = 'a'\nready = { notify = false }",
        "[service.a]\nexec = 'a'\non = { windos = { exec = 'a' } }",
        "[service.a]\nexec = 'a'\non = { windows = { exce = 'a' } }",
        "[service.a]\nexec = 'a'\ninstances = 0",
        "[service.a]\nexec = 'a'\nafter = ['b', 'b']",
        "[service.a]\nexec = 'a'\nenv_file = [{ path = 'x', optinal = true }]",
        "[service.a]\nexec = 'a'\nsystemd = { Service = { A = { B = 1 } } }",
    ];
    for text in wrong {
        assert!(parse(text.as_bytes(), Path::new("m.toml")).is_err(), "{text}");
        assert!(!faults(text).is_empty(), "{text}");
    }
}

#[test]
fn every_key_is_documented() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    assert!(definitions.len() > 15);
    for (name, definition) in definitions {
        assert_ne!(definition["description"].as_str().unwrap_or_default(), "", "{name}");
        for (key, property) in definition["properties"].as_object().unwrap() {
            assert_ne!(property["description"].as_str().unwrap_or_default(), "", "{name}.{key}");
        }
    }
}
