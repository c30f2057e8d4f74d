//! `${...}` in texts: `${name}`, `${instance}`, `${manifest_dir}`, `${state_dir}`, `${log_dir}`, `${runtime_dir}`,
//! `${env.NAME}`, `${env.NAME:-default}`, and `$$` for a dollar.
//!
//! Its form is checked when the manifest is parsed, whatever the target; what it stands for is looked up when it is
//! resolved.

use super::error::{ManifestError, nearest, one_of, shown};
use super::source::{Source, Span};

/// What stands between `${` and `}`, but for `env.NAME`.
const NAMES: [&str; 6] = ["name", "instance", "manifest_dir", "state_dir", "log_dir", "runtime_dir"];

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    /// As it stands.
    Plain(&'t str),
    /// `$$`.
    Dollar,
    /// `${this}`.
    Variable(&'t str),
    /// A dollar that is neither; the text from it on.
    Stray(&'t str),
    /// `${` without `}`.
    Open(&'t str),
}

/// Takes a text to pieces.
fn pieces(mut text: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let (piece, rest) = match text.find('$').unwrap_or(text.len()) {
            0 => {
                let after = &text[1..];
                if let Some(rest) = after.strip_prefix('$') {
                    (Piece::Dollar, rest)
                } else if let Some(inner) = after.strip_prefix('{') {
                    match inner.split_once('}') {
                        Some((variable, rest)) => (Piece::Variable(variable), rest),
                        None => (Piece::Open(text), ""),
                    }
                } else {
                    (Piece::Stray(text), after)
                }
            }
            next => (Piece::Plain(&text[..next]), &text[next..]),
        };
        text = rest;
        Some(piece)
    })
}

/// The variable of `env.NAME` or `env.NAME:-default`.
fn environment(variable: &str) -> Option<(&str, Option<&str>)> {
    let inner = variable.strip_prefix("env.")?;
    let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, default)| (name, Some(default)));
    let fits =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'(' | b')'));
    fits.then_some((name, default))
}

/// Whether each `${...}` has the right form and a known name.
pub(crate) fn check(text: &str, at: Span, source: &Source) -> Result<(), Vec<ManifestError>> {
    let mut errors = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Plain(_) | Piece::Dollar => {}
            Piece::Variable(variable) if NAMES.contains(&variable) || environment(variable).is_some() => {}
            Piece::Variable(variable) => {
                let error = ManifestError::new(
                    within(source, at, &format!("${{{variable}}}")),
                    format!("unknown variable `${{{}}}`", shown(variable)),
                );
                let known = NAMES.iter().copied().chain(["env.NAME"]);
                errors.push(match nearest(variable, NAMES) {
                    _ if variable.starts_with("env") => error.expected("expected `${env.NAME}` or `${env.NAME:-default}`"),
                    Some(meant) => error.hint(format!("did you mean `${{{meant}}}`?")),
                    None if is_variable_name(variable) => error
                        .expected(format!("expected {}", one_of(known)))
                        .hint(format!("write `${{env.{variable}}}` for a variable of the environment, `$${{{variable}}}` for the text itself")),
                    None => error.expected(format!("expected {}", one_of(known))).hint("write `$$` for a dollar"),
                });
            }
            Piece::Open(open) => {
                let error = ManifestError::new(within(source, at, "${"), format!("`{}` has no `}}`", shown(open)));
                errors.push(error.hint("close it, or write `$$` for a dollar"));
            }
            Piece::Stray(stray) => {
                let name: String = stray[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let hint = if is_variable_name(&name) {
                    format!("write `${{env.{name}}}` for the variable, `$${name}` for the text itself")
                } else {
                    "write `$$` for a dollar".to_owned()
                };
                let error = ManifestError::new(within(source, at, &format!("${name}")), "a lone `$` means nothing");
                errors.push(error.expected("no shell reads this").hint(hint));
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn is_variable_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The place of `part` inside a value, as it is written in the file; the whole value where an escape hides it.
fn within(source: &Source, at: Span, part: &str) -> Span {
    match source.slice(at).find(part) {
        Some(offset) => Span::new(at.start as usize + offset, at.start as usize + offset + part.len()),
        None => at,
    }
}

/// What the variables stand for, while one service is resolved.
pub(crate) trait Variables {
    /// What stands for one of `name`, `instance`, `manifest_dir`, `state_dir`, `log_dir`, `runtime_dir`.
    fn get(&self, name: &str) -> Result<String, (String, String)>;
    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;
}

/// The text with everything filled in.
pub(crate) fn fill(text: &str, at: Span, source: &Source, variables: &dyn Variables) -> Result<String, ManifestError> {
    let mut filled = String::with_capacity(text.len() + 16);
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => filled.push_str(plain),
            Piece::Dollar | Piece::Stray(_) => filled.push('$'),
            Piece::Open(open) => filled.push_str(open),
            Piece::Variable(variable) => {
                let place = || within(source, at, &format!("${{{variable}}}"));
                let Some((name, default)) = environment(variable) else {
                    let value = variables.get(variable);
                    filled.push_str(&value.map_err(|(message, hint)| ManifestError::new(place(), message).hint(hint))?);
                    continue;
                };
                match (variables.env(name), default) {
                    (Some(value), _) if value.contains('\0') || value.contains(crate::service::INSTANCE_MARK) => {
                        return Err(ManifestError::new(
                            place(),
                            format!("the variable `{name}` has a character that nothing can carry"),
                        ));
                    }
                    (Some(value), _) => filled.push_str(&value),
                    (None, Some(default)) => filled.push_str(default),
                    (None, None) => {
                        let message = format!("the environment has no variable `{name}`");
                        let hint = format!("set it when you run daemonctl, or write `${{env.{name}:-default}}`");
                        return Err(ManifestError::new(place(), message).hint(hint));
                    }
                }
            }
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    struct Fixed;

    impl Variables for Fixed {
        fn get(&self, name: &str) -> Result<String, (String, String)> {
            if name == "instance" { Err(("no instances".into(), "add some".into())) } else { Ok(format!("<{name}>")) }
        }
        fn env(&self, name: &str) -> Option<String> {
            (name == "PORT").then(|| "80${name}".to_owned())
        }
    }

    fn filled(text: &str) -> Result<String, String> {
        let source = Source::new(Path::new("m"), text.to_owned());
        let at = Span::new(0, text.len());
        check(text, at, &source).map_err(|errors| errors[0].message.clone())?;
        fill(text, at, &source, &Fixed).map_err(|error| error.message)
    }

    #[test]
    fn fills_in() {
        assert_eq!(filled("a ${name}/${state_dir} b").unwrap(), "a <name>/<state_dir> b");
        assert_eq!(filled("$$5 $${name}").unwrap(), "$5 ${name}");
        assert_eq!(filled("${env.PORT}").unwrap(), "80${name}", "a value is not read again");
        assert_eq!(filled("${env.NONE:-x y}").unwrap(), "x y");
        assert_eq!(filled("${env.NONE:-}").unwrap(), "");
        assert_eq!(filled("plain").unwrap(), "plain");
        assert_eq!(filled("").unwrap(), "");
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(filled("${nmae}").unwrap_err(), "unknown variable `${nmae}`");
        assert_eq!(filled("${}").unwrap_err(), "unknown variable `${}`");
        assert_eq!(filled("x ${name").unwrap_err(), "`${name` has no `}`");
        assert_eq!(filled("cost: 5$").unwrap_err(), "a lone `$` means nothing");
        assert_eq!(filled("$HOME/x").unwrap_err(), "a lone `$` means nothing");
        assert_eq!(filled("${env.NONE}").unwrap_err(), "the environment has no variable `NONE`");
        assert_eq!(filled("${instance}").unwrap_err(), "no instances");
    }
}
