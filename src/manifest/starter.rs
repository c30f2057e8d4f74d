//! What `init` writes: a manifest to start from.

use askama::Template;

/// The sort of manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// A service that listens.
    Web,
    /// A service that works.
    Worker,
    /// A task on a schedule.
    Task,
    /// Two services, one of which needs the other.
    Two,
}

impl Starter {
    /// Every sort.
    pub const ALL: [Self; 4] = [Self::Web, Self::Worker, Self::Task, Self::Two];

    /// Its word on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Worker => "worker",
            Self::Task => "task",
            Self::Two => "two",
        }
    }

    /// One line about it.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Web => "a service that listens on a port",
            Self::Worker => "a service that runs all the time",
            Self::Task => "a task on a schedule",
            Self::Two => "two services, one of which needs the other",
        }
    }
}

macro_rules! templates {
    ($($name:ident $path:literal),*) => {$(
        #[derive(Template)]
        #[template(path = $path, escape = "none")]
        struct $name<'a> {
            name: &'a str,
            exec: &'a str,
        }
    )*};
}

templates!(Web "init/web.toml", Worker "init/worker.toml", Task "init/task.toml");

#[derive(Template)]
#[template(path = "init/two.toml", escape = "none")]
struct Two<'a> {
    name: &'a str,
    exec: &'a str,
    helper: &'a str,
}

/// A manifest of this sort for the command `exec`; what is no name of a service in `name` is made one.
#[must_use]
pub fn starter(kind: Starter, name: &str, exec: &[String]) -> String {
    let name = service_name(name);
    let items: Vec<String> = exec.iter().map(|item| quoted(item)).collect();
    let exec = format!("[{}]", items.join(", "));
    let (name, exec, helper) = (name.as_str(), exec.as_str(), format!("{}-helper", cut(&name, 70)));
    let made = match kind {
        Starter::Web => Web { name, exec }.render(),
        Starter::Worker => Worker { name, exec }.render(),
        Starter::Task => Task { name, exec }.render(),
        Starter::Two => Two { name, exec, helper: &helper }.render(),
    };
    // Writing to a string fails only where a value's own Display does, and strings' do not.
    let mut text = made.unwrap_or_default();
    // The template engine takes the last newline away.
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A name that a file's name suggests: `My App.exe` gives `My-App`.
fn service_name(text: &str) -> String {
    let stem = match text.rsplit_once('.') {
        Some((stem, "exe" | "sh" | "py" | "js" | "rb" | "pl" | "ps1" | "bat" | "cmd" | "bin")) if !stem.is_empty() => {
            stem
        }
        _ => text,
    };
    // No dot: it would begin a table of its own in a TOML header.
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).collect();
    let name = cut(name.trim_matches('-'), super::name::LONGEST);
    if super::name::fault(name).is_none() { name.to_owned() } else { "app".to_owned() }
}

fn cut(name: &str, most: usize) -> &str {
    name.get(..most).unwrap_or(name)
}

/// A TOML string that stands for exactly this argument, its dollars doubled.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.replace('$', "$$").chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => quoted.extend(format!("\\u{:04X}", u32::from(control)).chars()),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_starter_parses() {
        let exec = vec!["./my app".to_owned(), "a\"b\\c\n$HOME \u{7}".to_owned()];
        for kind in Starter::ALL {
            for name in ["web", "My App.exe", "../..", "ä.ö", &"x".repeat(300), "a.b.c"] {
                let text = starter(kind, name, &exec);
                let manifest = crate::manifest::parse(text.as_bytes(), Path::new("m.toml"));
                assert!(manifest.is_ok(), "{text}\n{}", manifest.unwrap_err());
            }
        }
    }

    #[test]
    fn names_come_from_files() {
        assert_eq!(service_name("My App.exe"), "My-App");
        assert_eq!(service_name("web"), "web");
        assert_eq!(service_name(".."), "app");
        assert_eq!(service_name(".sh"), "sh");
    }
}
