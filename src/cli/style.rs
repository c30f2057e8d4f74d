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

/// Text that somebody else wrote, made harmless for a terminal: what could move its cursor or change its colours is
/// shown as `\u{1b}`.
#[must_use]
pub(super) fn harmless(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\t';
    if !text.contains(harmful) {
        return text.into();
    }
    text.chars()
        .map(|c| if harmful(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect::<String>()
        .into()
}

/// The text, cut to so many columns with `…` at its end.
#[must_use]
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
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
    kept
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

/// Rows with aligned columns, under their heads. Columns that are empty all the way down are left out; the last is cut
/// where the terminal ends.
#[must_use]
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], style: &Style) -> String {
    let shown: Vec<usize> =
        (0..columns.len()).filter(|column| rows.iter().any(|row| !row[*column].text.is_empty())).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].text.width()).chain([columns[column].head.width()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = shown.iter().map(|column| width(*column)).collect();
    let mut text = String::new();
    if !style.quiet {
        let heads: Vec<Cell> = columns.iter().map(|column| Cell::painted(column.head, BOLD)).collect();
        line(&mut text, columns, &shown, &widths, &heads, style);
    }
    for row in rows {
        line(&mut text, columns, &shown, &widths, row, style);
    }
    text
}

fn line(text: &mut String, columns: &[Column], shown: &[usize], widths: &[usize], row: &[Cell], style: &Style) {
    let mut used = 0;
    for (place, (column, width)) in shown.iter().zip(widths).enumerate() {
        let cell = &row[*column];
        let room = style.width.map_or(*width, |whole| whole.saturating_sub(used).min(*width));
        let shown_text = cut(&cell.text, room);
        let padding = " ".repeat(room.saturating_sub(shown_text.width()));
        let painted = paint(&shown_text, cell.paint, style);
        if columns[*column].right {
            text.push_str(&padding);
            text.push_str(&painted);
        } else {
            text.push_str(&painted);
            text.push_str(&padding);
        }
        used += width + 2;
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
    }
}
