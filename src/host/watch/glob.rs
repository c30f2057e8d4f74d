//! Paths with `*`, `?` and `**`. Pure.
//!
//! `*` and `?` stay within one component, and as in a shell they do not stand for a dot at its beginning: editors keep
//! their swap files there. `**` as a whole component stands for any number of folders, hidden ones not among them.

use std::path::{Component, Path, PathBuf};

/// A path that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Where it begins: `/`, or a drive or share of Windows.
    pub root: PathBuf,
    /// Its components, below the root.
    pub parts: Vec<Part>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// This name.
    Name(String),
    /// A name with `*` or `?`.
    Glob(String),
    /// `**`: any number of folders.
    Deep,
}

impl Pattern {
    /// The pattern of an absolute path.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let (root, path) = split_root(path);
        for name in path.split(std::path::is_separator).filter(|name| !name.is_empty() && *name != ".") {
            let part = match name {
                "**" => Part::Deep,
                name if name.contains(['*', '?']) => Part::Glob(name.to_owned()),
                name => Part::Name(name.to_owned()),
            };
            if part != Part::Deep || parts.last() != Some(&Part::Deep) {
                parts.push(part);
            }
        }
        if parts.last() == Some(&Part::Deep) {
            parts.push(Part::Glob("*".to_owned()));
        }
        Self { root, parts }
    }

    /// Whether it names one path.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Name(_)))
    }
}

/// A path's beginning, which has no `*`, and the rest.
fn split_root(path: &str) -> (PathBuf, &str) {
    let whole = Path::new(path);
    let prefix = match whole.components().next() {
        Some(Component::Prefix(prefix)) => prefix.as_os_str().len(),
        _ => 0,
    };
    let (prefix, rest) = path.split_at(prefix);
    (PathBuf::from(format!("{prefix}{}", std::path::MAIN_SEPARATOR)), rest)
}

/// Whether a name fits a component with `*` and `?`.
#[must_use]
pub fn fits(glob: &str, name: &str) -> bool {
    if name.starts_with('.') && !glob.starts_with('.') {
        return false;
    }
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // Where the last `*` stands, and what it was given so far: on a mismatch it takes one more.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((before, taken)) => {
                    star = Some((before, taken + 1));
                    at = before + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (glob, name, wanted) in [
            ("*.toml", "web.toml", true),
            ("*.toml", "web.toml.bak", false),
            ("*.toml", ".web.toml", false),
            (".*", ".web", true),
            ("?eb*", "web", true),
            ("?eb*", "eb", false),
            ("*a*b*", "xxaxxbxaxb", true),
            ("a*b", "acbc", false),
            ("*", "ü", true),
            ("?", "ü", true),
        ] {
            assert_eq!(fits(glob, name), wanted, "{glob} {name}");
        }
    }

    #[test]
    fn components() {
        let pattern = Pattern::new("/etc//web/**/**/*.toml");
        assert_eq!(
            pattern.parts,
            [Part::Name("etc".into()), Part::Name("web".into()), Part::Deep, Part::Glob("*.toml".into())]
        );
        assert_eq!(
            Pattern::new("/a/**").parts.last(),
            Some(&Part::Glob("*".into())),
            "`**` alone is all that is below"
        );
        assert!(Pattern::new("/a/[b]").is_plain());
    }
}
