//! How words are dressed: colours by meaning, and tables that fit the terminal.

use anstyle::{AnsiColor, Style as Paint};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::{Effect, State, Style};
use crate::system::terminal::{self, Stream};

/// How standard output wants its text.
#[must_use]
pub fn detect(quiet: bool) -> Style {
    Style { color: terminal::wants_color(Stream::Stdout), width: terminal::width(Stream::Stdout), quiet }
}

/// Bold.
pub(super) const BOLD: Paint = Paint::new().bold();
/// Of less weight.
pub(super) const DIM: Paint = Paint::new().dimmed();
/// Good.
pub(super) const GREEN: Paint = AnsiColor::Green.on_default();
/// Bad.
pub(super) const RED: Paint = AnsiColor::Red.on_default();
/// On its way, or worth a look.
pub(super) const YELLOW: Paint = AnsiColor::Yellow.on_default();
/// Told apart from others.
pub(super) const CYAN: Paint = AnsiColor::Cyan.on_default();

/// Colours that tell units apart and mean nothing.
pub(super) const PALETTE: [Paint; 6] = [
    CYAN,
    AnsiColor::Magenta.on_default(),
    AnsiColor::Blue.on_default(),
    GREEN,
    YELLOW,
    AnsiColor::BrightCyan.on_default(),
];

/// The text in a colour, where colours are wanted.
#[must_use]
pub(super) fn paint(text: &str, paint: Paint, style: &Style) -> String {
    if style.color && !text.is_empty() { format!("{paint}{text}{paint:#}") } else { text.to_owned() }
}

/// The colour of a state.
#[must_use]
pub(super) const fn of_state(state: State) -> Paint {
    match state {
        State::Running | State::Completed => GREEN,
        State::Starting | State::Stopping | State::Backoff | State::Unknown => YELLOW,
        State::Failed | State::GaveUp => RED,
        State::Stopped | State::NotInstalled => DIM,
    }
}

/// What was done to a unit.
#[must_use]
pub(super) fn effect(effect: Effect, style: &Style) -> String {
    let color = match effect {
        Effect::Installed | Effect::Started | Effect::Restarted | Effect::Reloaded | Effect::Enabled => GREEN,
        Effect::Updated | Effect::Removed | Effect::Stopped | Effect::Disabled => YELLOW,
        Effect::Unchanged | Effect::Absent => DIM,
        Effect::Failed => RED,
    };
    paint(effect.name(), color, style)
}

/// A step of a plan.
#[must_use]
pub(super) fn step(text: &str, style: &Style) -> String {
    paint(text, BOLD, style)
}

/// A line of a diff, by its first character.
#[must_use]
pub(super) fn diff_line(line: &str, style: &Style) -> String {
    match line.as_bytes().first() {
        Some(b'+') => paint(line, GREEN, style),
        Some(b'-') => paint(line, RED, style),
        Some(b'@') => paint(line, CYAN, style),
        _ => line.to_owned(),
    }
}

/// Text that somebody else wrote, made harmless for a terminal: what could move its cursor, change its colours or turn
/// round what is read is shown as `\u{1b}`.
#[must_use]
pub(super) fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    // The latter: marks of writing direction, by which a line reads as something that it is not.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    let harmful = |c: char| c.is_control() && c != '\t' || turns(c);
    if !text.contains(harmful) {
        return text.into();
    }
    text.chars()
        .map(|c| if harmful(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect::<String>()
        .into()
}

/// The same of JSON, whose meaning stays: its writer leaves the control characters behind ASCII as they are.
#[must_use]
pub(super) fn harmless_json(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    if !text.contains(harmful) {
        return text.into();
    }
    let escaped = |c: char| if harmful(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    text.chars().map(escaped).collect::<String>().into()
}

/// How many columns a text takes.
fn width(text: &str) -> usize {
    // Of a thousand services, nearly every cell.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) { text.len() } else { text.width() }
}

/// The text, cut to so many columns with `…` at its end.
#[must_use]
pub(super) fn cut(text: &str, columns: usize) -> std::borrow::Cow<'_, str> {
    if width(text) <= columns {
        return text.into();
    }
    let (mut kept, mut used) = (String::new(), 0);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= columns {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept.into()
}

/// Remarks, a line each; none where only the answer is wanted.
#[must_use]
pub(super) fn notes(notes: &[String], style: &Style) -> String {
    let shown = if style.quiet { &[] } else { notes };
    shown.iter().fold(String::new(), |text, note| text + &paint("note:", CYAN, style) + " " + &harmless(note) + "\n")
}

/// An RFC 3339 time as the clock on the wall shows it; as it is where it is none.
#[must_use]
pub(super) fn clock(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => crate::system::local_time(time).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => time.to_owned(),
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// Plain text.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), paint: Paint::new() }
    }

    /// Text in a colour.
    pub(super) fn painted(text: impl Into<String>, paint: Paint) -> Self {
        Self { text: text.into(), paint }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// What stands above it.
    pub(super) head: &'static str,
    /// Numbers: set to the right.
    pub(super) right: bool,
}

impl Column {
    /// Of text.
    pub(super) const fn text(head: &'static str) -> Self {
        Self { head, right: false }
    }

    /// Of numbers.
    pub(super) const fn number(head: &'static str) -> Self {
        Self { head, right: true }
    }
}

/// The cells of a table, row by row, in one piece: a thousand rows are many cells.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Those in a colour.
    paints: Vec<(usize, Paint)>,
}

impl Cells {
    /// Adds one.
    pub(super) fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.end();
    }

    /// Adds one that is written in place.
    pub(super) fn add_shown(&mut self, value: Option<impl std::fmt::Display>) {
        use std::fmt::Write as _;
        if let Some(value) = value {
            let _ = write!(self.text, "{value}");
        }
        self.end();
    }

    /// Adds one in a colour.
    pub(super) fn add_painted(&mut self, text: &str, paint: Paint) {
        self.paints.push((self.ends.len(), paint));
        self.add(text);
    }

    fn end(&mut self) {
        self.ends.push(self.text.len());
    }

    fn get(&self, cell: usize) -> &str {
        let from = cell.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let to = self.ends.get(cell).copied().unwrap_or(from);
        self.text.get(from..to).unwrap_or_default()
    }
}

/// Rows with aligned columns, under their heads. Columns that are empty all the way down are left out; the last is cut
/// where the terminal ends.
#[must_use]
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], style: &Style) -> String {
    let mut cells = Cells::default();
    for cell in rows.iter().flatten() {
        cells.add_painted(&cell.text, cell.paint);
    }
    table_of(columns, &cells, style)
}

/// The same from cells of which each row has one for each column.
#[must_use]
pub(super) fn table_of(columns: &[Column], cells: &Cells, style: &Style) -> String {
    let mut widths = vec![0; columns.len()];
    for row in 0..cells.ends.len() / columns.len().max(1) {
        for (column, widest) in widths.iter_mut().enumerate() {
            *widest = width(cells.get(row * columns.len() + column)).max(*widest);
        }
    }
    let shown: Vec<(usize, usize)> = widths.iter().copied().enumerate().filter(|(_, widest)| *widest > 0).collect();
    let shown: Vec<(usize, usize)> =
        shown.into_iter().map(|(column, widest)| (column, widest.max(width(columns[column].head)))).collect();
    let line_width: usize = shown.iter().map(|(_, widest)| widest + 2).sum();
    let mut text = String::with_capacity(line_width * (cells.ends.len() / columns.len().max(1) + 1));
    if !style.quiet {
        let heads = |column: usize| (columns[column].head, Some(BOLD));
        line(&mut text, columns, &shown, heads, style);
    }
    let mut paints = cells.paints.iter().peekable();
    for row in 0..cells.ends.len() / columns.len().max(1) {
        let cell = |column: usize| {
            let number = row * columns.len() + column;
            while paints.next_if(|(painted, _)| *painted < number).is_some() {}
            (cells.get(number), paints.next_if(|(painted, _)| *painted == number).map(|(_, paint)| *paint))
        };
        line(&mut text, columns, &shown, cell, style);
    }
    text
}

fn line<'a>(
    text: &mut String,
    columns: &[Column],
    shown: &[(usize, usize)],
    mut cell: impl FnMut(usize) -> (&'a str, Option<Paint>),
    style: &Style,
) {
    let mut used = 0;
    for (place, (column, widest)) in shown.iter().enumerate() {
        let (whole_text, color) = cell(*column);
        let room = style.width.map_or(*widest, |whole| whole.saturating_sub(used).min(*widest));
        let shown_text = cut(whole_text, room);
        let padding = room.saturating_sub(width(&shown_text));
        let pad = |text: &mut String| text.extend(std::iter::repeat_n(' ', padding));
        if columns[*column].right {
            pad(text);
        }
        match color.filter(|_| style.color) {
            Some(color) => text.push_str(&paint(&shown_text, color, style)),
            None => text.push_str(&shown_text),
        }
        if !columns[*column].right {
            pad(text);
        }
        used += widest + 2;
        if place + 1 < shown.len() && style.width.is_none_or(|whole| used < whole) {
            text.push_str("  ");
        }
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { color: false, width: None, quiet: false };

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::new("web"), Cell::painted("running", GREEN), Cell::new("7"), Cell::new("")],
            vec![Cell::new("数据"), Cell::painted("failed", RED), Cell::new("1234"), Cell::new("")],
        ]
    }

    const COLUMNS: [Column; 4] =
        [Column::text("NAME"), Column::text("STATE"), Column::number("PID"), Column::text("EMPTY")];

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        assert_eq!(table(&COLUMNS, &rows(), &PLAIN), "NAME  STATE     PID\nweb   running     7\n数据  failed   1234\n");
    }

    #[test]
    fn a_table_fits_the_terminal() {
        for width in 1..24 {
            let text = table(&COLUMNS, &rows(), &Style { width: Some(width), ..PLAIN });
            assert!(text.lines().all(|line| line.width() <= width), "{width}: {text}");
        }
    }

    #[test]
    fn colour_stands_around_the_text_only() {
        let text = table(&COLUMNS, &rows(), &Style { color: true, quiet: true, ..PLAIN });
        assert!(text.starts_with("web   \u{1b}[32mrunning\u{1b}[0m     7\n"), "{text:?}");
    }

    #[test]
    fn a_cut_text_keeps_its_columns() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello", 4), "hel…");
        assert_eq!(cut("数据库", 4), "数…");
        assert_eq!(cut("hello", 0), "");
    }

    #[test]
    fn what_a_service_wrote_moves_no_cursor() {
        assert_eq!(harmless("a\tb"), "a\tb");
        assert_eq!(harmless("\u{1b}[2Jgone\r"), "\\u{1b}[2Jgone\\r");
        assert_eq!(harmless("\u{9b}2J\u{202e}"), "\\u{9b}2J\\u{202e}");
        let json = serde_json::to_string("\u{9b}2J\u{7f}\u{1b}ä").unwrap();
        assert_eq!(harmless_json(&json), r#""\u009b2J\u007f\u001bä""#);
        assert_eq!(serde_json::from_str::<String>(&harmless_json(&json)).unwrap(), "\u{9b}2J\u{7f}\u{1b}ä");
    }
}
