//! Accounts as the service control manager names them. Pure.

/// The form that the manager takes: the well-known ones by their English names, whatever the system's language; all
/// others as they are written.
pub(super) fn for_the_manager(account: &str) -> String {
    let plain = account.trim();
    let bare = plain
        .strip_prefix_ignore_case(r"NT AUTHORITY\")
        .or_else(|| plain.strip_prefix_ignore_case(r".\").filter(|name| name.eq_ignore_ascii_case("LocalSystem")))
        .unwrap_or(plain);
    match bare.to_ascii_lowercase().replace(' ', "").as_str() {
        "system" | "localsystem" => "LocalSystem".to_owned(),
        "localservice" => r"NT AUTHORITY\LocalService".to_owned(),
        "networkservice" => r"NT AUTHORITY\NetworkService".to_owned(),
        // A name alone is one of this machine.
        _ if !plain.contains('\\') => format!(r".\{plain}"),
        _ => plain.to_owned(),
    }
}

trait StripIgnoreCase {
    fn strip_prefix_ignore_case(&self, prefix: &str) -> Option<&str>;
}

impl StripIgnoreCase for str {
    fn strip_prefix_ignore_case(&self, prefix: &str) -> Option<&str> {
        let head = self.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| &self[prefix.len()..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(for_the_manager("system"), "LocalSystem");
        assert_eq!(for_the_manager(r"nt authority\Local Service"), r"NT AUTHORITY\LocalService");
        assert_eq!(for_the_manager("NetworkService"), r"NT AUTHORITY\NetworkService");
        assert_eq!(for_the_manager("web"), r".\web");
        assert_eq!(for_the_manager(r"CONTOSO\web"), r"CONTOSO\web");
    }
}
