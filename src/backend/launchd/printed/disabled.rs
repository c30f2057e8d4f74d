//! `launchctl print-disabled DOMAIN`: what somebody has switched on or off, whatever its property list says.
//!
//! Up to macOS 12 `"label" => true` means that it is disabled; since 13 it is `=> disabled` and `=> enabled`.

use std::collections::BTreeMap;

/// Whether each label that is listed is disabled. What is not listed is not.
pub(in crate::backend::launchd) fn parse(text: &str) -> BTreeMap<String, bool> {
    text.lines()
        .filter_map(|line| {
            let (label, value) = line.trim().split_once(" => ")?;
            let label = label.strip_prefix('"')?.strip_suffix('"')?;
            let disabled = match value.trim() {
                "true" | "disabled" => true,
                "false" | "enabled" => false,
                _ => return None,
            };
            Some((label.to_owned(), disabled))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_saying_it() {
        let old = "\tdisabled services = {\n\t\t\"com.example.a\" => true\n\t\t\"com.example.b\" => false\n\t}\n";
        let new = "\tdisabled services = {\n\t\t\"com.example.a\" => disabled\n\t\t\"com.example.b\" => enabled\n\t}\n\
                   \tlogin item associations = {\n\t\t\"x\" => \"y\"\n\t}\n";
        for text in [old, new] {
            let found = parse(text);
            assert_eq!((found.get("com.example.a"), found.get("com.example.b")), (Some(&true), Some(&false)));
            assert_eq!(found.len(), 2);
        }
        assert!(parse("").is_empty());
    }
}
