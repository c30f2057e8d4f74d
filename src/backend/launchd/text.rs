//! What a property list can carry as a string.
//!
//! launchd reads XML 1.0, which has no way at all to write most control characters, and whose readers turn a carriage
//! return into a newline. What would not come back equal is not written.

/// Why a string can't stand in a property list; None: it can.
#[must_use]
pub(super) fn refused(text: &str) -> Option<&'static str> {
    text.chars().find_map(|c| match c {
        '\t' | '\n' => None,
        '\0' => Some("has a NUL byte, which no program can be given"),
        '\r' => Some("has a carriage return, which a property list turns into a newline"),
        '\u{1}'..='\u{1f}' => Some("has a control character, which a property list cannot carry"),
        '\u{fffe}' | '\u{ffff}' => Some("has a code point that is no character, which a property list cannot carry"),
        _ => None,
    })
}

/// The first of several that can't, and why.
pub(super) fn first_refused<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    texts.into_iter().find_map(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_can_carry() {
        for fine in ["", " ", "a\tb\nc", "<&>\"'", "]]>", "\u{85}\u{2028}", "🦀", "\u{7f}\u{9f}", "\u{10ffff}"] {
            assert_eq!(refused(fine), None, "{fine:?}");
        }
        for bad in ["\0", "\r", "\u{1b}[0m", "\u{b}", "\u{ffff}"] {
            assert!(refused(bad).is_some(), "{bad:?}");
        }
    }
}
