//! What is wrong with a manifest: every fault of a file, each with its place, what was expected and the remedy.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::source::{Source, Span};
use crate::exit::Exit;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// Where.
    pub at: Span,
    /// What, in lower case, values in backticks.
    pub message: String,
    /// What was expected there, under the caret.
    pub expected: Option<String>,
    /// The remedy.
    pub hint: Option<String>,
    /// Further places that belong to it, each with a word about it.
    pub related: Vec<(Span, String)>,
}

impl ManifestError {
    /// A fault at a place.
    #[must_use]
    pub fn new(at: impl Into<Span>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into(), expected: None, hint: None, related: Vec::new() }
    }

    /// Says what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do, where something can be said.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Shows another place with it.
    #[must_use]
    pub fn related(mut self, at: impl Into<Span>, label: impl Into<String>) -> Self {
        self.related.push((at.into(), label.into()));
        self
    }
}

/// Every fault of one manifest, in the order of the file.
#[derive(Debug)]
pub struct ManifestErrors {
    source: Arc<Source>,
    errors: Vec<ManifestError>,
}

/// A fault as machines read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ManifestErrorJson {
    /// The manifest as it was named on the command line.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was expected there.
    pub expected: Option<String>,
    /// The remedy.
    pub hint: Option<String>,
    /// Other places that have to do with it, such as the first of two that contradict each other.
    pub related: Vec<RelatedJson>,
}

/// A place that a fault refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RelatedJson {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is there.
    pub message: String,
}

impl ManifestErrors {
    /// Faults of the text `source`; they are sorted, and what was found twice is kept once.
    #[must_use]
    pub fn new(source: Arc<Source>, mut errors: Vec<ManifestError>) -> Self {
        errors.sort_by(|a, b| (a.at, &a.message).cmp(&(b.at, &b.message)));
        errors.dedup_by(|a, b| a.at == b.at && a.message == b.message);
        Self { source, errors }
    }

    /// `Ok` where there is none.
    pub(crate) fn check(source: &Arc<Source>, errors: Vec<ManifestError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::new(Arc::clone(source), errors)) }
    }

    /// The faults.
    #[must_use]
    pub fn errors(&self) -> &[ManifestError] {
        &self.errors
    }

    /// For people: each fault with the line it is in, a caret, what was expected and the remedy.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
        let name = self.source.name().to_string_lossy();
        let shown: Vec<String> = self.errors.iter().map(|error| self.render_one(&renderer, &name, error)).collect();
        shown.join("\n\n")
    }

    fn render_one(&self, renderer: &Renderer, name: &str, error: &ManifestError) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(error.message.as_str())).element(self.snippet(
            name,
            AnnotationKind::Primary,
            error.at,
            error.expected.as_deref(),
        ));
        for (at, label) in &error.related {
            group = group.element(self.snippet(name, AnnotationKind::Context, *at, Some(label)));
        }
        let mut report = vec![group];
        if let Some(hint) = &error.hint {
            report.push(Group::with_title(Level::HELP.secondary_title(hint.as_str())));
        }
        renderer.render(&report)
    }

    /// Only the lines that matter are handed over: the renderer reads all of what it is given.
    fn snippet<'a>(
        &'a self,
        name: &'a str,
        kind: AnnotationKind,
        at: Span,
        label: Option<&'a str>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let position = self.source.position(at);
        // A value of many lines is shown by its first.
        let first_line_end = self.source.text()[position.start..position.end].find('\n');
        let end = first_line_end.map_or(position.end, |more| position.start + more).max(position.start);
        let (text, begin) = self.source.excerpt(Span::new(position.start, end));
        let span = position.start.min(begin + text.len()) - begin..end.min(begin + text.len()) - begin;
        Snippet::source(text).line_start(position.line).path(name).annotation(kind.span(span).label(label))
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Vec<ManifestErrorJson> {
        let file = self.source.name().to_string_lossy();
        let related = |at: Span, label: &str| {
            let position = self.source.position(at);
            RelatedJson { line: position.line, column: position.column, message: label.to_owned() }
        };
        let one = |error: &ManifestError| {
            let position = self.source.position(error.at);
            ManifestErrorJson {
                file: file.clone().into_owned(),
                line: position.line,
                column: position.column,
                message: error.message.clone(),
                expected: error.expected.clone(),
                hint: error.hint.clone(),
                related: error.related.iter().map(|(at, label)| related(*at, label)).collect(),
            }
        };
        self.errors.iter().map(one).collect()
    }
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ManifestErrors {}

impl From<ManifestErrors> for crate::Error {
    /// The message is what `render` shows, less the first "error: ", which printers put there themselves.
    fn from(errors: ManifestErrors) -> Self {
        let rendered = errors.render(false);
        let message = rendered.strip_prefix("error: ").unwrap_or(&rendered).to_owned();
        Self::new(Exit::Manifest, message).with_manifest_errors(errors)
    }
}

/// A user's text as it may stand in a message: control characters escaped, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(escape).collect();
    if text.chars().nth(60).is_some() {
        shown.push_str("...");
    }
    shown
}

fn escape(character: char) -> impl Iterator<Item = char> {
    let plain = (!character.is_control() && character != crate::service::INSTANCE_MARK).then_some(character);
    let escaped = plain.is_none().then(|| character.escape_default());
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// The word among `known` that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase().replace('-', "_")), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` or `c`
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("exce", ["exec", "env", "user"]), Some("exec"));
        assert_eq!(nearest("workingdir", ["exec", "working_dir"]), Some("working_dir"));
        assert_eq!(nearest("max-delay", ["max_delay", "delay"]), Some("max_delay"));
        assert_eq!(nearest("zzz", ["exec", "env"]), None);
    }

    #[test]
    fn hostile_text_is_shown_harmless() {
        assert_eq!(shown("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(shown(&"x".repeat(300)).len(), 63);
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(one_of(["a"]), "`a`");
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
