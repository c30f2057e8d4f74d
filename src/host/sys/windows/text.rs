//! Text of programs, which write UTF-8 or, the older ones, in the code page of consoles.

use std::borrow::Cow;

use windows_sys::Win32::Globalization::{CP_OEMCP, MultiByteToWideChar};

/// Output as text: UTF-8 where it is that, else in the consoles' code page.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => of_consoles(bytes).map_or_else(|| String::from_utf8_lossy(bytes), Cow::Owned),
    }
}

fn of_consoles(bytes: &[u8]) -> Option<String> {
    let length = i32::try_from(bytes.len()).ok()?;
    // One byte makes at most one unit, in each of these code pages.
    let mut units = vec![0u16; bytes.len()];
    // SAFETY: both buffers have the lengths that are given.
    let count = unsafe { MultiByteToWideChar(CP_OEMCP, 0, bytes.as_ptr(), length, units.as_mut_ptr(), length) };
    let units = units.get(..usize::try_from(count).ok()?).filter(|units| !units.is_empty())?;
    Some(String::from_utf16_lossy(units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_stays_and_the_rest_is_of_the_consoles() {
        assert_eq!(text_of("ünï".as_bytes()), "ünï");
        assert_eq!(text_of(b""), "");
        let text = text_of(b"caf\x82");
        assert!(text.starts_with("caf") && text.chars().count() == 4 && !text.contains('\u{fffd}'), "{text}");
    }
}
