//! What turning tables into a service needs at hand: filling in texts, making paths absolute, collecting faults.

use std::cell::Cell;
use std::path::PathBuf;

use super::argv::Argv;
use super::decode::{At, Field};
use super::error::{ManifestError, one_of, shown};
use super::folders;
use super::interpolate::{self, Variables};
use super::paths;
use super::source::{Source, Span};
use super::text::{PathText, Text, Url, endpoint_fault};
use crate::backend::Target;
use crate::facts::Facts;
use crate::service::INSTANCE_MARK;

/// Where relative paths begin, and what `${manifest_dir}` is.
#[derive(Debug, Clone)]
pub struct ResolveDirs {
    /// The manifest's folder, absolute.
    pub manifest_dir: PathBuf,
}

/// One service on its way.
pub(crate) struct Build<'a> {
    pub(crate) source: &'a Source,
    pub(crate) errors: Vec<ManifestError>,
    pub(crate) name: &'a str,
    /// The service has instances.
    pub(crate) instanced: bool,
    /// Something of the manifest could not be read: nothing is said to be missing, no text is filled in.
    pub(crate) dry: bool,
    pub(crate) target: &'a Target,
    pub(crate) facts: &'a dyn Facts,
    pub(crate) manifest_dir: &'a str,
    pub(crate) windows: bool,
    /// One of the folders of the service's own was named.
    pub(crate) own_folders: Cell<bool>,
}

impl Build<'_> {
    /// Takes a fault.
    pub(crate) fn fault(&mut self, error: ManifestError) {
        self.errors.push(error);
    }

    /// A text with its `${...}` filled in.
    pub(crate) fn string(&mut self, text: &str, at: Span) -> String {
        if self.dry || !text.contains('$') {
            return text.to_owned();
        }
        match interpolate::fill(text, at, self.source, self) {
            Ok(filled) => filled,
            Err(error) => {
                self.errors.push(error);
                String::new()
            }
        }
    }

    /// The same where no control character may come in.
    pub(crate) fn line(&mut self, text: &str, at: Span) -> String {
        let filled = self.string(text, at);
        if !self.dry && text.contains('$') && filled.contains(char::is_control) {
            let message = format!("a control character comes in here: `{}`", shown(&filled));
            self.fault(ManifestError::new(at, message).expected("expected one line of text once it is filled in"));
        }
        filled
    }

    /// The same of a key.
    pub(crate) fn text(&mut self, field: &Field<Text>) -> String {
        self.string(&field.value.0, field.at)
    }

    /// The same of a path, made absolute.
    pub(crate) fn path(&mut self, path: &PathText, at: Span) -> PathBuf {
        self.path_text(&path.0, at).into()
    }

    /// The same as text.
    pub(crate) fn path_text(&mut self, path: &str, at: Span) -> String {
        let filled = self.line(path, at);
        if filled == "~" || filled.starts_with("~/") {
            let error = ManifestError::new(at, format!("`{}` begins with `~`", shown(&filled)));
            self.fault(error.expected("no shell reads this").hint("write `${env.HOME}`"));
        }
        paths::absolute(&filled, self.manifest_dir, self.windows)
    }

    /// A command: the program's path absolute, found by the search path where it is a bare name.
    pub(crate) fn argv(&mut self, argv: &Argv) -> Vec<String> {
        let mut filled: Vec<String> = argv.0.iter().map(|item| self.string(&item.value, item.at)).collect();
        if let (Some(program), Some(first)) = (filled.first_mut(), argv.0.first()) {
            *program = self.program(program, first.at);
        }
        filled
    }

    fn program(&mut self, program: &str, at: Span) -> String {
        if paths::has_folder(program, self.windows) || program == "~" {
            self.path_text_filled(program, at)
        } else if program.is_empty() && !self.dry {
            if self.errors.is_empty() {
                self.fault(ManifestError::new(at, "the program is empty once it is filled in"));
            }
            String::new()
        } else {
            let found = self.facts.program(program);
            found.map_or_else(|| program.to_owned(), |path| path.to_string_lossy().into_owned())
        }
    }

    fn path_text_filled(&mut self, path: &str, at: Span) -> String {
        if path.starts_with('~') {
            let error = ManifestError::new(at, format!("`{}` begins with `~`", shown(path)));
            self.fault(error.expected("no shell reads this").hint("write `${env.HOME}`"));
        }
        paths::absolute(path, self.manifest_dir, self.windows)
    }

    /// `host:port`, looked at again now that it is filled in.
    pub(crate) fn endpoint(&mut self, endpoint: &str, at: Span) -> String {
        let filled = self.string(endpoint, at);
        if let (Some(fault), false) = (endpoint_fault(&filled), self.dry)
            && self.errors.is_empty()
        {
            self.fault(ManifestError::new(at, format!("`{}` is no address: {fault}", shown(&filled))));
        }
        filled
    }

    /// A URL.
    pub(crate) fn url(&mut self, url: &Url, at: Span) -> String {
        self.string(&url.0, at)
    }

    /// Exactly one of these keys is given: otherwise it is a fault. `place` is what has them.
    pub(crate) fn exactly_one(&mut self, place: &str, at: Span, broken: bool, keys: &[(&str, Option<Span>)]) -> bool {
        let names = || one_of(keys.iter().map(|(name, _)| *name));
        let mut given = keys.iter().filter_map(|(name, at)| Some((*name, (*at)?)));
        match (given.next(), given.next()) {
            (Some(_), None) => true,
            (None, _) => {
                if !broken {
                    let error = match keys {
                        [_] => {
                            ManifestError::new(at, format!("{place} has no {}", names())).expected("expected it here")
                        }
                        _ => ManifestError::new(at, format!("{place} has none of {}", names()))
                            .expected("expected one of them"),
                    };
                    self.fault(error);
                }
                false
            }
            (Some((first, first_at)), Some((second, second_at))) => {
                let ((first, first_at), (second, second_at)) = if first_at < second_at {
                    ((first, first_at), (second, second_at))
                } else {
                    ((second, second_at), (first, first_at))
                };
                let error = ManifestError::new(second_at, format!("{place} has both `{first}` and `{second}`"));
                let error = error.expected(format!("only one of {} can hold", names()));
                self.fault(error.related(first_at, "here is the other").hint("remove one of the two"));
                false
            }
        }
    }
}

/// The place of a key, where it is given.
pub(crate) fn key_of<T>(field: Option<&Field<T>>) -> Option<Span> {
    field.map(|field| field.key)
}

impl<T> From<&Field<T>> for Span {
    fn from(field: &Field<T>) -> Self {
        field.at
    }
}

impl<T> From<&At<T>> for Span {
    fn from(item: &At<T>) -> Self {
        item.at
    }
}

impl Variables for Build<'_> {
    fn get(&self, name: &str) -> Result<String, (String, String)> {
        let unit = || {
            if self.instanced { format!("{}@{INSTANCE_MARK}", self.name) } else { self.name.to_owned() }
        };
        let layout = &self.target.layout;
        let folder = |path: PathBuf| {
            self.own_folders.set(true);
            path.to_string_lossy().into_owned()
        };
        match name {
            "instance" if !self.instanced => Err((
                format!("`{}` has no instances, so `${{instance}}` means nothing", self.name),
                "add `instances = 2` or a list of names".to_owned(),
            )),
            "instance" => Ok(INSTANCE_MARK.to_string()),
            "manifest_dir" => Ok(self.manifest_dir.to_owned()),
            "state_dir" => Ok(folder(folders::state(layout, &unit()))),
            "log_dir" => Ok(folder(layout.logs_of(&unit()))),
            "runtime_dir" => Ok(folder(folders::runtime(layout, &unit()))),
            _ => Ok(self.name.to_owned()),
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        self.facts.env(name)
    }
}
