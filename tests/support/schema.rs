//! A small checker of the JSON Schema keywords that daemonctl's schemas use. It fails on a keyword that it does not know,
//! so that none is skipped.
#![allow(dead_code, unreachable_pub, reason = "each test target uses its part")]

use serde_json::Value;

/// What is wrong with a value. `closed`: a key that the schema does not name is a fault also where the schema does not
/// say so, as it is in what a program prints: all of that is documented.
pub fn faults(schema: &Value, value: &Value, closed: bool) -> Vec<String> {
    let mut faults = Vec::new();
    Checker { root: schema, closed }.check(schema, value, "", &mut faults);
    faults
}

struct Checker<'s> {
    root: &'s Value,
    closed: bool,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
        let mut below = Vec::new();
        let mut fault = |what: String| faults.push(format!("{path}: {what}"));
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            match keyword.as_str() {
                "description" | "title" | "$schema" | "$defs" | "format" | "default" => {}
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
                "required" => {
                    for name in rule.as_array().unwrap().iter().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|object| !object.contains_key(name)) {
                            fault(format!("`{name}` is missing"));
                        }
                    }
                }
                "anyOf" | "oneOf" => {
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
                            ("properties", None, _) if self.closed && schema.get("additionalProperties").is_none() => {
                                below.push(format!("{path}: is not in the schema"));
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
        "null" => value.is_null(),
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
