//! The JSON Schema and the parser are made of the same declarations; here they are held against each other, and against
//! the examples of the documentation, by the checker of `support/schema.rs`.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests, helpers among them")]

use std::fs;
use std::path::{Path, PathBuf};

use daemonctl::manifest::{Starter, parse, schema, starter};
use serde_json::json;

#[path = "support/schema.rs"]
mod checker;

fn faults(text: &str) -> Vec<String> {
    let value: toml::Table = toml::from_str(text).expect("TOML");
    let schema = schema();
    checker::faults(&schema, &json!(value), false)
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
