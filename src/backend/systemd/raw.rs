//! `[service.NAME.systemd]`: directives in systemd's own words, checked for shape and placed last in their sections.

use serde_json::Value;

use crate::service::INSTANCE_MARK;

/// Sections a manifest may add to.
const SECTIONS: [&str; 5] = ["Unit", "Service", "Install", "Timer", "Path"];

/// Directives on which daemonctl's contract stands, each with the key that says the same.
const OWNED: [(&str, &str); 4] =
    [("ExecStart", "exec"), ("Type", "type` or `ready.notify"), ("RemainAfterExit", "type"), ("GuessMainPID", "type")];

/// One directive.
pub(super) struct Directive {
    pub(super) key: String,
    pub(super) value: String,
}

/// Why the table can't be written down.
pub(super) fn check(native: &Value) -> Result<(), String> {
    let sections = match native {
        Value::Null => return Ok(()),
        Value::Object(sections) => sections,
        _ => return Err("it is no table of sections".to_owned()),
    };
    for (section, table) in sections {
        if !SECTIONS.contains(&section.as_str()) {
            return Err(format!("there is no section `{section}`; daemonctl writes {}", SECTIONS.join(", ")));
        }
        let Value::Object(table) = table else {
            return Err(format!("`{section}` is no table"));
        };
        for (key, value) in table {
            let named = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !named {
                return Err(format!("`{section}.{key}` is no directive's name"));
            }
            if let Some((_, ours)) = OWNED.iter().find(|(owned, _)| section == "Service" && owned == key) {
                return Err(format!("`{section}.{key}` is daemonctl's to write: use `{ours}`"));
            }
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                match text(value) {
                    None => return Err(format!("`{section}.{key}` is no text, number, boolean or list of them")),
                    Some(text) if text.contains(|c: char| c.is_control() && c != '\t') => {
                        return Err(format!("`{section}.{key}` has a line break or control character"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    Ok(())
}

/// The directives for a section, in the order of their names; a list makes several.
pub(super) fn directives(native: &Value, section: &str) -> Vec<Directive> {
    let Some(table) = native.get(section).and_then(Value::as_object) else { return Vec::new() };
    table
        .iter()
        .flat_map(|(key, value)| {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            values.iter().filter_map(text).map(|value| Directive { key: key.clone(), value })
        })
        .collect()
}

/// A value as systemd writes it. What the user writes is systemd's syntax already, specifiers included.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.ends_with('\\') => Some(format!("{text} ").replace(INSTANCE_MARK, "%i")),
        Value::String(text) => Some(text.replace(INSTANCE_MARK, "%i")),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(if *yes { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl std::fmt::Display for Directive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_makes_several_lines() {
        let native =
            json!({ "Service": { "IOWeight": 50, "Environment": ["A=1", "B=%i\u{e000}"], "PrivateTmp": true } });
        check(&native).unwrap();
        let lines: Vec<String> = directives(&native, "Service").iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["Environment=A=1", "Environment=B=%i%i", "IOWeight=50", "PrivateTmp=yes"]);
        assert!(directives(&native, "Unit").is_empty());
    }

    #[test]
    fn shapes_are_checked() {
        for bad in [
            json!({ "Servce": {} }),
            json!({ "Service": 1 }),
            json!({ "Service": { "A B": 1 } }),
            json!({ "Service": { "A": "x\ny" } }),
            json!({ "Service": { "A": { "b": 1 } } }),
            json!({ "Service": { "ExecStart": "/bin/x" } }),
            json!([1]),
        ] {
            assert!(check(&bad).is_err(), "{bad}");
        }
        assert!(check(&Value::Null).is_ok());
    }
}
