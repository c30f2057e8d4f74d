//! Values in systemd's unit files and environment files.
//!
//! systemd has no single quoting: an `Exec*=` word is unquoted, unescaped, then has `%` specifiers expanded, then `$`
//! variables; an `Environment=` word the same without variables; a `WorkingDirectory=` is a bare line with specifiers and
//! no quotes at all (quotes there are part of the path and fatal). So each kind of directive has its own wrapper
//! here. Read: systemd.syntax(7), systemd.service(5) "COMMAND LINES", and `config_parse_exec`,
//! `config_parse_environ`, `path_simplify_and_warn` and `load_env_file` in systemd's sources.
//!
//! [`INSTANCE_MARK`] becomes `%i` wherever specifiers are expanded.

use std::fmt::{self, Display, Formatter, Write};
use std::path::Path;
use std::time::Duration;

use crate::service::INSTANCE_MARK;

/// A word of a command line: `"a b"`.
pub struct Word<'a>(pub &'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        quoted(f, self.0, Dollar::Double)
    }
}

/// A whole command line after its `=`, with its prefix (`-`: failure is ignored).
pub struct Command<'a> {
    /// `""` or `"-"`.
    pub prefix: &'static str,
    /// Program and arguments.
    pub argv: &'a [String],
}

impl Display for Command<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix)?;
        let Some((program, arguments)) = self.argv.split_first() else { return Ok(()) };
        // The program is not subject to `$`, but the argv[0] that is made of it is: `:` switches that off for the
        // whole line.
        let dollar = if program.contains('$') { Dollar::Plain } else { Dollar::Double };
        if matches!(dollar, Dollar::Plain) {
            f.write_char(':')?;
        }
        quoted(f, program, Dollar::Plain)?;
        for argument in arguments {
            f.write_char(' ')?;
            quoted(f, argument, dollar)?;
        }
        Ok(())
    }
}

/// One variable of `Environment=`: `"NAME=value"`.
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl Display for Variable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escaped(f, self.name, Dollar::Plain)?;
        f.write_char('=')?;
        escaped(f, self.value, Dollar::Plain)?;
        f.write_char('"')
    }
}

/// A line that is one path (`WorkingDirectory=`, `append:`), or any text without quoting (`Description=`).
pub struct Line<'a>(pub &'a str);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        specified(f, self.0)?;
        // A backslash at the end would join the next line on; white space behind it is stripped, and stops that.
        if self.0.ends_with('\\') { f.write_char(' ') } else { Ok(()) }
    }
}

/// A line that is one path.
pub struct PathLine<'a>(pub &'a Path);

impl Display for PathLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        specified(f, &text)?;
        path_end(f, &text)
    }
}

/// A path of `EnvironmentFile=`, which systemd takes for a pattern.
pub struct GlobLine<'a>(pub &'a Path);

impl Display for GlobLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        for c in text.chars() {
            match c {
                '*' | '?' | '[' | ']' | '\\' => write!(f, "\\{c}")?,
                c => specified_char(f, c)?,
            }
        }
        path_end(f, &text)
    }
}

/// A path in a list of paths (`ReadWritePaths=`): quotes and a backslash before any character work there, no other escapes.
pub struct ListPath<'a>(pub &'a Path);

impl Display for ListPath<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.to_string_lossy().chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c => specified_char(f, c)?,
            }
        }
        f.write_char('"')
    }
}

/// A time span: `90s`, `1500ms`, `10us`.
pub struct Span(pub Duration);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let nanos = self.0.subsec_nanos();
        if nanos == 0 {
            write!(f, "{}s", self.0.as_secs())
        } else if nanos.is_multiple_of(1_000_000) {
            write!(f, "{}ms", self.0.as_millis())
        } else {
            write!(f, "{}us", self.0.as_micros().max(1))
        }
    }
}

/// A line of an environment file: `NAME="value"`.
pub struct EnvFileLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl Display for EnvFileLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}=\"", self.name)?;
        for c in self.value.chars() {
            if matches!(c, '"' | '\\' | '`' | '$') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

#[derive(Clone, Copy)]
enum Dollar {
    /// Variables are expanded here: `$$`.
    Double,
    /// They are not.
    Plain,
}

fn quoted(f: &mut Formatter<'_>, text: &str, dollar: Dollar) -> fmt::Result {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.,:=@+".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return f.write_str(text);
    }
    f.write_char('"')?;
    escaped(f, text, dollar)?;
    f.write_char('"')
}

fn escaped(f: &mut Formatter<'_>, text: &str, dollar: Dollar) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\' | '%' | '$' | INSTANCE_MARK) || c.is_control()) {
        f.write_str(&rest[..at])?;
        let c = rest[at..].chars().next().unwrap_or_default();
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            '$' => f.write_str(if matches!(dollar, Dollar::Double) { "$$" } else { "$" })?,
            c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
            c => specified_char(f, c)?,
        }
        rest = &rest[at + c.len_utf8()..];
    }
    f.write_str(rest)
}

fn specified(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['%', INSTANCE_MARK]) {
        f.write_str(&rest[..at])?;
        let c = rest[at..].chars().next().unwrap_or_default();
        specified_char(f, c)?;
        rest = &rest[at + c.len_utf8()..];
    }
    f.write_str(rest)
}

fn specified_char(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '%' => f.write_str("%%"),
        INSTANCE_MARK => f.write_str("%i"),
        c => f.write_char(c),
    }
}

/// A slash keeps white space at the end from being stripped, and a backslash from joining lines; systemd takes it off.
fn path_end(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    if text.ends_with(|c: char| c == '\\' || c.is_ascii_whitespace()) { f.write_char('/') } else { Ok(()) }
}

/// Why a program's path can't stand in an `Exec*=` line; None: it can.
#[must_use]
pub fn program_refused(program: &str) -> Option<&'static str> {
    if program.is_empty() {
        Some("is empty")
    } else if program.contains(['"', '\'', '\\']) {
        Some("has a quote or backslash, which systemd refuses in the path of a program")
    } else if program.contains(|c: char| c.is_ascii_control()) {
        Some("has a control character, which systemd refuses in the path of a program")
    } else if !program.starts_with('/') && program.starts_with(['-', '@', ':', '+', '!', '|']) {
        Some("begins with a character that systemd takes for a flag")
    } else if !program.starts_with('/') && program.contains('/') {
        Some("is a relative path")
    } else {
        None
    }
}

/// Why an argument can't be passed; None: it can.
#[must_use]
pub fn argument_refused(argument: &str) -> Option<&'static str> {
    argument.contains('\0').then_some("has a NUL")
}

/// Why a variable can't be set; None: it can.
#[must_use]
pub fn variable_refused(name: &str, value: &str) -> Option<&'static str> {
    let first = name.bytes().next();
    if first.is_none_or(|b| b.is_ascii_digit()) || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Some("has a name that systemd refuses: letters, digits and `_`, no digit first")
    } else if value.contains(|c: char| c.is_ascii_control() && c != '\t' && c != '\n') {
        Some("has a control character other than tab and newline, which systemd refuses")
    } else {
        None
    }
}

/// Why a path can't stand on a line of its own; None: it can.
#[must_use]
pub fn path_refused(path: &Path) -> Option<&'static str> {
    match path.to_str() {
        None => Some("is not UTF-8"),
        Some(text) if !text.starts_with('/') => Some("is not absolute"),
        Some(text) if text.contains(['\n', '\r', '\0']) => {
            Some("has a line break, for which unit files have no escape")
        }
        Some(_) => None,
    }
}

/// A text as one line: line breaks and other control characters become spaces.
#[must_use]
pub fn one_line(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains(char::is_control) { text.replace(char::is_control, " ").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str]) -> String {
        let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
        Command { prefix: "", argv: &argv }.to_string()
    }

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(command(&["/usr/bin/web", "--port", "8080"]), "/usr/bin/web --port 8080");
    }

    #[test]
    fn what_systemd_would_change_is_escaped() {
        assert_eq!(
            command(&["/bin/x", "", "a b", "$HOME", "100%", ";", "a\"b\\", "l1\nl2", "#", "\u{1b}"]),
            r##"/bin/x "" "a b" "$$HOME" "100%%" ";" "a\"b\\" "l1\nl2" "#" "\x1b""##
        );
    }

    #[test]
    fn a_dollar_in_the_program_switches_variables_off() {
        assert_eq!(command(&["/opt/a${b}/x", "$c"]), r#":"/opt/a${b}/x" "$c""#);
    }

    #[test]
    fn the_instance_mark_becomes_a_specifier() {
        assert_eq!(command(&["/bin/x", "\u{e000}%i"]), r#"/bin/x "%i%%i""#);
        assert_eq!(Variable { name: "N", value: "a\u{e000}" }.to_string(), "\"N=a%i\"");
        assert_eq!(PathLine(Path::new("/srv/\u{e000}/50%")).to_string(), "/srv/%i/50%%");
    }

    #[test]
    fn paths_keep_their_ends() {
        assert_eq!(PathLine(Path::new("/a b")).to_string(), "/a b");
        assert_eq!(PathLine(Path::new("/a ")).to_string(), "/a /");
        assert_eq!(PathLine(Path::new("/a\\")).to_string(), "/a\\/");
        assert_eq!(GlobLine(Path::new("/a*[b]")).to_string(), "/a\\*\\[b\\]");
        assert_eq!(ListPath(Path::new("/a \"b\"\\")).to_string(), r#""/a \"b\"\\""#);
        assert_eq!(Line("ends with \\").to_string(), "ends with \\ ");
    }

    #[test]
    fn spans_are_exact() {
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(Span(Duration::from_millis(1500)).to_string(), "1500ms");
        assert_eq!(Span(Duration::from_micros(7)).to_string(), "7us");
        assert_eq!(Span(Duration::ZERO).to_string(), "0s");
    }

    #[test]
    fn what_cannot_be_carried_is_told() {
        assert!(program_refused("/a b/$x/%y").is_none());
        assert!(program_refused("/a'b").is_some());
        assert!(program_refused("-x").is_some());
        assert!(variable_refused("A_1", "a\tb\nc").is_none());
        assert!(variable_refused("1A", "").is_some());
        assert!(variable_refused("A", "\u{7}").is_some());
        assert!(path_refused(Path::new("/a\nb")).is_some());
        assert!(path_refused(Path::new("a")).is_some());
    }
}
