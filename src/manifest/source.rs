//! A manifest's text, and places in it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A place in a manifest's text, as people count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Position {
    /// Byte offset of its first byte.
    pub start: usize,
    /// Byte offset behind its last byte.
    pub end: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A place as bytes: what every value keeps. Lines and columns are counted only where somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Byte offset of its first byte.
    pub start: u32,
    /// Byte offset behind its last byte.
    pub end: u32,
}

impl Span {
    /// From offsets; a manifest is at most [`super::MAX_SIZE`] bytes, so they always fit.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let fit = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: fit(start), end: fit(end.max(start)) }
    }

    /// Its bytes in the text.
    #[must_use]
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

impl From<Position> for Span {
    fn from(position: Position) -> Self {
        Self::new(position.start, position.end)
    }
}

/// A manifest's text with its name.
#[derive(Debug)]
pub struct Source {
    name: PathBuf,
    text: String,
    lines: OnceLock<Vec<usize>>,
}

impl Source {
    /// The text of the file `name`.
    #[must_use]
    pub fn new(name: &Path, text: String) -> Self {
        Self { name: name.to_owned(), text, lines: OnceLock::new() }
    }

    /// The file's name as it was given.
    #[must_use]
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text at a place; empty where the place is not in this text.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// Where each line begins.
    fn lines(&self) -> &[usize] {
        self.lines
            .get_or_init(|| std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The place with its line and column.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        let start = self.floor(span.start as usize);
        let line = self.lines().partition_point(|begin| *begin <= start);
        let begin = self.lines()[line - 1];
        let column = self.text[begin..start].chars().count() + 1;
        Position { start, end: self.floor(span.end as usize).max(start), line, column }
    }

    /// The lines that the place touches, without the last newline, and the offset of the first.
    #[must_use]
    pub fn excerpt(&self, span: Span) -> (&str, usize) {
        let position = self.position(span);
        let begin = self.lines()[position.line - 1];
        let end = self.text[position.end..].find('\n').map_or(self.text.len(), |more| position.end + more);
        (self.text[begin..end].trim_end_matches('\r'), begin)
    }

    /// The offset, moved into the text and back onto the boundary of a character.
    fn floor(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        (0..=offset).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters() {
        let source = Source::new(Path::new("m.toml"), "a = 1\nä = \"ö\"\r\n\nz".to_owned());
        let at = |offset| {
            let position = source.position(Span::new(offset, offset + 1));
            (position.line, position.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(5), (1, 6));
        assert_eq!(at(6), (2, 1));
        assert_eq!(at(8), (2, 2), "columns are characters");
        assert_eq!(at(source.text().len() - 1), (4, 1));
        assert_eq!(at(9_999), (4, 2), "beyond the end is the end");
        assert_eq!(source.excerpt(Span::new(8, 9)), ("ä = \"ö\"", 6));
    }
}
