//! Predicates of `log`, as far as daemonctl writes any: `==` and `CONTAINS`, `AND`, `OR`, brackets.

use serde_json::Value;

#[derive(Debug)]
pub(crate) enum Predicate {
    Any(Vec<Predicate>),
    All(Vec<Predicate>),
    Is(String, Value),
    Contains(String, String),
}

impl Predicate {
    pub(crate) fn holds(&self, entry: &Value) -> bool {
        match self {
            Self::Any(list) => list.iter().any(|one| one.holds(entry)),
            Self::All(list) => list.iter().all(|one| one.holds(entry)),
            Self::Is(field, value) => entry[field] == *value,
            Self::Contains(field, text) => entry[field].as_str().is_some_and(|had| had.contains(text)),
        }
    }
}

/// Words, brackets and texts, of which the last keep their first quotation mark.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        match first {
            ' ' => {}
            '(' | ')' => found.push(first.to_string()),
            '"' => {
                let mut token = first.to_string();
                loop {
                    match chars.next().ok_or("a text without an end")? {
                        '"' => break,
                        '\\' => token.push(chars.next().ok_or("a text without an end")?),
                        other => token.push(other),
                    }
                }
                found.push(token);
            }
            other => {
                let mut token = other.to_string();
                while let Some(next) = chars.next_if(|next| !matches!(next, ' ' | '(' | ')' | '"')) {
                    token.push(next);
                }
                found.push(token);
            }
        }
    }
    Ok(found)
}

pub(crate) fn parse(text: &str) -> Result<Predicate, String> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let found = any(&mut rest)?;
    if rest.is_empty() { Ok(found) } else { Err(format!("a predicate that is not modelled: {text}")) }
}

fn any(rest: &mut &[String]) -> Result<Predicate, String> {
    let mut list = vec![all(rest)?];
    while rest.first().is_some_and(|word| word == "OR") {
        *rest = &rest[1..];
        list.push(all(rest)?);
    }
    Ok(Predicate::Any(list))
}

fn all(rest: &mut &[String]) -> Result<Predicate, String> {
    let mut list = vec![one(rest)?];
    while rest.first().is_some_and(|word| word == "AND") {
        *rest = &rest[1..];
        list.push(one(rest)?);
    }
    Ok(Predicate::All(list))
}

fn one(rest: &mut &[String]) -> Result<Predicate, String> {
    if rest.first().is_some_and(|word| word == "(") {
        *rest = &rest[1..];
        let inner = any(rest)?;
        return match rest.split_first() {
            Some((close, more)) if close == ")" => {
                *rest = more;
                Ok(inner)
            }
            _ => Err("a bracket without an end".to_owned()),
        };
    }
    let [field, operator, value, more @ ..] = *rest else { return Err("half a predicate".to_owned()) };
    *rest = more;
    match (operator.as_str(), value.strip_prefix('"'), value.parse::<i64>()) {
        ("==", Some(text), _) => Ok(Predicate::Is(field.clone(), Value::from(text))),
        ("==", None, Ok(number)) => Ok(Predicate::Is(field.clone(), Value::from(number))),
        ("CONTAINS", Some(text), _) => Ok(Predicate::Contains(field.clone(), text.to_owned())),
        _ => Err(format!("`{operator} {value}` is not modelled")),
    }
}
