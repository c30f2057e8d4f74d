//! A command in one string, split into an argv as a POSIX shell would, and never given to one.
//!
//! What a shell would act on beyond words and quotes (pipes, redirections, substitutions, patterns, assignments) is
//! refused: passed on as plain text it would be a wish dropped in silence. `${...}` and `$$` are the manifest's own and
//! stay in the words, to be filled in later.

/// Why a command cannot be split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SplitFault {
    /// Bytes of the text that are to blame.
    pub(crate) range: std::ops::Range<usize>,
    /// What is wrong.
    pub(crate) message: String,
    /// What can be done.
    pub(crate) remedy: Remedy,
}

/// What can be done about a command that cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Only a shell would do it: name one.
    Shell,
    /// A variable belongs to `env`.
    Env,
    /// A home folder is `${env.HOME}`.
    Home,
    /// A list takes backslashes as they are.
    List,
    /// A quote is closed, or escaped.
    Close,
    /// A backslash at the end is taken away.
    Remove,
}

impl SplitFault {
    fn new(range: std::ops::Range<usize>, message: impl Into<String>, remedy: Remedy) -> Self {
        Self { range, message: message.into(), remedy }
    }
}

/// The words of a command.
pub(crate) fn split(text: &str) -> Result<Vec<String>, SplitFault> {
    Splitter { text, at: 0, words: Vec::new(), word: None, word_start: 0, quoted: false }.run()
}

struct Splitter<'t> {
    text: &'t str,
    at: usize,
    words: Vec<String>,
    /// The word that is being read; `""` makes an empty one.
    word: Option<String>,
    word_start: usize,
    /// Some part of the word is quoted.
    quoted: bool,
}

impl Splitter<'_> {
    fn run(mut self) -> Result<Vec<String>, SplitFault> {
        self.at = self.text.len() - self.text.trim_start().len();
        while self.at < self.text.len() {
            self.step()?;
        }
        self.end_word()?;
        Ok(self.words)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn push(&mut self, text: &str) {
        self.word.get_or_insert_default().push_str(text);
    }

    fn step(&mut self) -> Result<(), SplitFault> {
        let start = self.at;
        let Some(character) = self.next() else {
            return Ok(());
        };
        if self.word.is_none() {
            self.word_start = start;
        }
        let here = start..self.at;
        match character {
            ' ' | '\t' => self.end_word()?,
            '\n' | '\r' if self.text[self.at..].trim().is_empty() => self.end_word()?,
            '\n' | '\r' => return Err(SplitFault::new(here, "a line break ends a command", Remedy::Shell)),
            '\'' => self.single(start)?,
            '"' => self.double(start)?,
            '\\' => self.backslash(start)?,
            '|' | '&' | ';' | '<' | '>' | '(' | ')' => {
                return Err(SplitFault::new(
                    here,
                    format!("`{character}` means something to a shell only"),
                    Remedy::Shell,
                ));
            }
            '`' => {
                return Err(SplitFault::new(here, "a backtick means something to a shell only", Remedy::Shell));
            }
            '*' | '?' => {
                return Err(SplitFault::new(
                    here,
                    format!("`{character}` outside quotes is a pattern for a shell"),
                    Remedy::Shell,
                ));
            }
            '~' if self.word.is_none() => {
                return Err(SplitFault::new(here, "`~` means your home folder to a shell only", Remedy::Home));
            }
            '#' if self.word.is_none() => {
                return Err(SplitFault::new(
                    here,
                    format!("a word that begins with `{character}` means something to a shell only"),
                    Remedy::Shell,
                ));
            }
            '$' => self.dollar(start)?,
            other => self.push(other.encode_utf8(&mut [0; 4])),
        }
        Ok(())
    }

    fn end_word(&mut self) -> Result<(), SplitFault> {
        let quoted = std::mem::take(&mut self.quoted);
        let Some(word) = self.word.take() else {
            return Ok(());
        };
        if self.words.is_empty() && !quoted && is_assignment(&word) {
            let range = self.word_start..self.word_start + word.len();
            return Err(SplitFault::new(range, "a shell would set a variable here", Remedy::Env));
        }
        self.words.push(word);
        Ok(())
    }

    fn single(&mut self, start: usize) -> Result<(), SplitFault> {
        let Some(length) = self.text[self.at..].find('\'') else {
            return Err(SplitFault::new(start..start + 1, "this quote is not closed", Remedy::Close));
        };
        let inner = &self.text[self.at..self.at + length];
        self.push(inner);
        self.quoted = true;
        self.at += length + 1;
        Ok(())
    }

    fn double(&mut self, start: usize) -> Result<(), SplitFault> {
        self.push("");
        self.quoted = true;
        loop {
            let at = self.at;
            match self.next() {
                None => {
                    return Err(SplitFault::new(start..start + 1, "this quote is not closed", Remedy::Close));
                }
                Some('"') => return Ok(()),
                Some('`') => {
                    return Err(SplitFault::new(
                        at..at + 1,
                        "a backtick in double quotes means something to a shell only",
                        Remedy::Shell,
                    ));
                }
                Some('$') => self.dollar(at)?,
                Some('\\') => match self.next() {
                    Some('\n') | None => {}
                    Some('$') => self.push("$$"),
                    Some(escaped @ ('"' | '\\' | '`')) => self.push(escaped.encode_utf8(&mut [0; 4])),
                    Some(other) => {
                        self.push("\\");
                        self.push(other.encode_utf8(&mut [0; 4]));
                    }
                },
                Some(other) => self.push(other.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn backslash(&mut self, start: usize) -> Result<(), SplitFault> {
        // `C:\app`: taken away in silence, it would be another path.
        let drive = !self.quoted
            && matches!(self.word.as_deref().map(str::as_bytes), Some([letter, b':']) if letter.is_ascii_alphabetic());
        if drive {
            let message = "a shell would take this backslash away";
            return Err(SplitFault::new(start..self.at, message, Remedy::List));
        }
        match self.next() {
            None => {
                return Err(SplitFault::new(start..self.at, "a backslash at the end escapes nothing", Remedy::Remove));
            }
            Some('\n') => {}
            Some('$') => self.push("$$"),
            Some(escaped) => self.push(escaped.encode_utf8(&mut [0; 4])),
        }
        self.quoted = true;
        Ok(())
    }

    /// `${...}` and `$$` stay; the manifest's own check looks at other dollars.
    fn dollar(&mut self, start: usize) -> Result<(), SplitFault> {
        let rest = &self.text[start..];
        let length = if rest.starts_with("$(") {
            return Err(SplitFault::new(start..start + 2, "`$(` means something to a shell only", Remedy::Shell));
        } else if rest.starts_with("${") {
            rest.find('}').map_or(2, |close| close + 1)
        } else if rest.starts_with("$$") {
            2
        } else {
            1
        };
        self.push(&rest[..length]);
        self.at = start + length;
        Ok(())
    }
}

/// `NAME=value`, as the first word of a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text).unwrap()
    }

    #[test]
    fn splits_like_a_shell() {
        assert_eq!(words("a b  c"), ["a", "b", "c"]);
        assert_eq!(words("  a\tb \n"), ["a", "b"]);
        assert_eq!(words(r#"a 'b c' "d e" f\ g"#), ["a", "b c", "d e", "f g"]);
        assert_eq!(words(r#"a '' """#), ["a", "", ""]);
        assert_eq!(words(r#"x"y"'z'w"#), ["xyzw"]);
        assert_eq!(words(r#"a "\"\\\n""#), ["a", r#""\\n"#]);
        assert_eq!(words(r"a \| \; \*"), ["a", "|", ";", "*"]);
        assert_eq!(words("a '|' \"&&\" '`x`'"), ["a", "|", "&&", "`x`"]);
        assert_eq!(words("a ${env.X:-b c} $$5 \\$x"), ["a", "${env.X:-b c}", "$$5", "$$x"]);
        assert_eq!(words("a --b=c#d x=1"), ["a", "--b=c#d", "x=1"]);
        assert_eq!(words("a --bind [::]:80"), ["a", "--bind", "[::]:80"]);
        assert_eq!(words(""), Vec::<String>::new());
        assert_eq!(words("   "), Vec::<String>::new());
    }

    #[test]
    fn refuses_what_only_a_shell_would_do() {
        for text in
            ["a | b", "a > f", "a; b", "a && b", "a $(b)", "a `b`", "a \"$(b)\"", "a (b)", "rm *.log", "a\nb", "a #c"]
        {
            assert!(split(text).unwrap_err().remedy == Remedy::Shell, "{text}");
        }
        for text in ["a 'b", "a \"b", "X=1 a", "~/a", r"C:\app\web.exe", "a \\"] {
            let fault = split(text).unwrap_err();
            assert_ne!(fault.remedy, Remedy::Shell, "{text}: {fault:?}");
            assert!(text.get(fault.range).is_some(), "{text}");
        }
        assert_eq!(split(" X=1 a").unwrap_err().range, 1..4, "the place is the word's");
    }

    /// Quotes as a shell needs it.
    fn quote(word: &str) -> String {
        format!("'{}'", word.replace('\'', r"'\''"))
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(argv in proptest::collection::vec("[^\\x00]*", 1..5)) {
            let line: Vec<String> = argv.iter().map(|word| quote(word)).collect();
            prop_assert_eq!(split(&line.join(" ")), Ok(argv));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            if let Err(fault) = split(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }
    }
}
