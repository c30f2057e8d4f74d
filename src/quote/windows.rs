//! Command lines of Windows: one text that the program itself takes apart, by the rules of `CommandLineToArgvW`.
//!
//! The program's own name is parsed by other rules than the arguments after it: from quote to quote, with no escapes, so
//! a name with a quote in it cannot be written at all. It is always quoted: an unquoted path with a space in it makes
//! `CreateProcess` try every prefix of it first (CWE-428).

use std::fmt;

/// A program and its arguments as a command line.
#[derive(Debug, Clone, Copy)]
pub struct CommandLine<'a> {
    /// Absolute; see [`program_refused`].
    pub program: &'a str,
    /// After it.
    pub args: &'a [String],
}

impl fmt::Display for CommandLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.program)?;
        self.args.iter().try_for_each(|argument| write!(f, " {}", Argument(argument)))
    }
}

/// One argument, quoted only where it must be.
#[derive(Debug, Clone, Copy)]
pub struct Argument<'a>(pub &'a str);

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        if !text.is_empty() && !text.contains([' ', '\t', '\n', '\u{b}', '"']) {
            return f.write_str(text);
        }
        f.write_str("\"")?;
        let mut backslashes = 0;
        for c in text.chars() {
            match c {
                '\\' => backslashes += 1,
                // Backslashes before a quote count double, and one more keeps the quote.
                '"' => {
                    write!(f, "{:\\<1$}\\\"", "", backslashes * 2)?;
                    backslashes = 0;
                }
                c => {
                    write!(f, "{:\\<1$}{c}", "", backslashes)?;
                    backslashes = 0;
                }
            }
        }
        write!(f, "{:\\<1$}\"", "", backslashes * 2)
    }
}

/// Why a path can't be the program of a service's command line.
#[must_use]
pub fn program_refused(path: &str) -> Option<&'static str> {
    if path.contains('"') {
        return Some("has a quote in it, which no command line can carry");
    }
    // The service control manager stores the line so that variables in it are filled in.
    if path.contains('%') {
        return Some("has a `%` in it, which the service control manager takes for a variable");
    }
    path.contains(char::is_control).then_some("has a control character in it")
}

/// A command line taken apart: the program as it would be run, then its arguments. None: it has no end of the
/// program's name.
#[must_use]
pub fn parse(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start_matches([' ', '\t']);
    let (program, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once([' ', '\t']).unwrap_or((line, "")),
    };
    let mut argv = vec![program.to_owned()];
    let mut chars = rest.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        if chars.peek().is_none() {
            return Some(argv);
        }
        argv.push(argument(&mut chars));
    }
}

fn argument(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    loop {
        let mut backslashes = 0;
        while chars.next_if_eq(&'\\').is_some() {
            backslashes += 1;
        }
        if chars.peek() == Some(&'"') {
            chars.next();
            text.push_str(&"\\".repeat(backslashes / 2));
            // An odd backslash keeps the quote; inside quotes two of them are one.
            if backslashes % 2 == 1 || quoted && chars.next_if_eq(&'"').is_some() {
                text.push('"');
            } else {
                quoted = !quoted;
            }
            continue;
        }
        text.push_str(&"\\".repeat(backslashes));
        match chars.peek() {
            Some(' ' | '\t') if !quoted => return text,
            Some(c) => {
                text.push(*c);
                chars.next();
            }
            None => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted(text: &str) -> String {
        Argument(text).to_string()
    }

    #[test]
    fn arguments() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted(r"C:\x\"), r"C:\x\");
        assert_eq!(quoted(r"C:\x y\"), r#""C:\x y\\""#);
        assert_eq!(quoted(r#"say "hi""#), r#""say \"hi\"""#);
        assert_eq!(quoted(r#"a\"b"#), r#""a\\\"b""#);
        assert_eq!(quoted("50%"), "50%");
    }

    #[test]
    fn the_program_is_always_quoted() {
        let args = ["host".to_owned(), "--service".to_owned(), "a b".to_owned()];
        let line = CommandLine { program: r"C:\d.exe", args: &args };
        assert_eq!(line.to_string(), r#""C:\d.exe" host --service "a b""#);
        assert_eq!(program_refused(r"C:\Program Files\x.exe"), None);
        assert!(program_refused(r"C:\%TEMP%\x.exe").is_some() && program_refused("a\"b").is_some());
    }

    #[test]
    fn others_lines_are_taken_apart() {
        assert_eq!(
            parse(r"C:\Windows\system32\svchost.exe -k netsvcs").unwrap()[0],
            r"C:\Windows\system32\svchost.exe"
        );
        assert_eq!(parse(r#""C:\a b\c.exe""#).unwrap(), [r"C:\a b\c.exe"]);
        assert_eq!(parse(r#""open"#), None);
        assert_eq!(parse(r#"x "a""b" """#).unwrap(), ["x", "a\"b", ""]);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(args in proptest::collection::vec(r#"[a-z "\\%^&\t\p{Greek}]{0,12}"#, 0..5)) {
            let line = CommandLine { program: r"C:\Program Files\x.exe", args: &args }.to_string();
            let parsed = parse(&line).unwrap();
            prop_assert_eq!(&parsed[0], r"C:\Program Files\x.exe");
            prop_assert_eq!(&parsed[1..], &args[..]);
        }
    }
}
