//! Names of services and instances: letters, digits, `-`, `_`, `.`; 1 to 80; never `..`, never a path.

use super::error::{ManifestError, shown};
use super::source::Span;

/// The longest name, in characters: with a prefix and a suffix it still fits every manager's names.
pub const LONGEST: usize = 80;

/// What is wrong with a name.
#[must_use]
pub fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > LONGEST {
        return Some("it is longer than 80 characters");
    }
    if name.contains("..") || name == "." {
        return Some("it is a step in a path");
    }
    if name.contains(['/', '\\']) {
        return Some("it has a slash");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Some("it has a character that is no letter, digit, `-`, `_` or `.`");
    }
    if name.starts_with(['-', '.']) {
        return Some("it begins with a dash or dot, which commands and managers read in their own way");
    }
    None
}

/// The fault as an error of the manifest.
pub(crate) fn check(what: &str, name: &str, at: Span) -> Option<ManifestError> {
    let why = fault(name)?;
    let error = ManifestError::new(at, format!("`{}` is no name of {what}: {why}", shown(name)));
    let error = error.expected("letters, digits, `-`, `_`, `.`; 1 to 80 characters");
    let mut remedy: String = name
        .chars()
        .take(LONGEST)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    while remedy.contains("..") {
        remedy = remedy.replace("..", ".");
    }
    let remedy = remedy.trim_matches(['-', '.']);
    Some(if fault(remedy).is_none() && remedy.len() <= 40 { error.hint(format!("write `{remedy}`")) } else { error })
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn names() {
        for good in ["a", "web", "web-1", "a_b.c", "9", &"x".repeat(80)] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in
            ["", "..", ".", "a/b", "a..b", "../a", "a b", "a\nb", "ä", "-a", ".a", "a@b", "a\\b", "%n", &"x".repeat(81)]
        {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
