//! Who an account is, and what it takes to run as it. Pure.

/// How an account logs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logon {
    /// It is part of the system, or made for the service: no password.
    Own,
    /// Managed by the domain, which has the password; it needs the right to log on as a service.
    Managed,
    /// With a password, and it needs the right to log on as a service.
    Password,
}

/// How `account`, in the manager's form, logs on.
pub(super) fn logon(account: &str) -> Logon {
    let name = account.to_ascii_lowercase();
    if name == "localsystem" || name.starts_with(r"nt authority\") || name.starts_with(r"nt service\") {
        Logon::Own
    } else if name.ends_with('$') {
        Logon::Managed
    } else {
        Logon::Password
    }
}

/// The form that look-ups take: they do not know `.\`.
pub(super) fn for_lookup(account: &str, machine: &str) -> String {
    match account.strip_prefix(r".\") {
        Some(name) => format!(r"{machine}\{name}"),
        None if account.eq_ignore_ascii_case("LocalSystem") => r"NT AUTHORITY\SYSTEM".to_owned(),
        None => account.to_owned(),
    }
}

/// The security identifier of accounts that is known without asking anybody.
pub(super) fn known_sid(account: &str) -> Option<String> {
    let name = account.to_ascii_lowercase();
    match name.as_str() {
        "localsystem" | r"nt authority\system" => Some("S-1-5-18".to_owned()),
        r"nt authority\localservice" | r"nt authority\local service" => Some("S-1-5-19".to_owned()),
        r"nt authority\networkservice" | r"nt authority\network service" => Some("S-1-5-20".to_owned()),
        _ if name.starts_with("s-1-") => Some(account.to_ascii_uppercase()),
        _ => name.starts_with(r"nt service\").then(|| service_sid(&account[r"nt service\".len()..])),
    }
}

/// The security identifier of a service's own account: `S-1-5-80-` and the SHA-1 of its name in capitals, UTF-16.
pub(super) fn service_sid(name: &str) -> String {
    use sha1::{Digest, Sha1};
    let mut hash = Sha1::new();
    for unit in name.to_uppercase().encode_utf16() {
        hash.update(unit.to_le_bytes());
    }
    let parts = hash.finalize();
    let numbers = parts.chunks_exact(4).map(|part| u32::from_le_bytes([part[0], part[1], part[2], part[3]]));
    numbers.fold("S-1-5-80".to_owned(), |sid, number| format!("{sid}-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_accounts() {
        assert_eq!(for_lookup(r".\web", "BOX"), r"BOX\web");
        assert_eq!(logon(r"NT SERVICE\web"), Logon::Own);
        assert_eq!(logon(r"CONTOSO\web$"), Logon::Managed);
        assert_eq!(logon(r".\web"), Logon::Password);
    }

    #[test]
    fn security_identifiers() {
        // The one that every Windows has, and that Microsoft documents.
        let trusted_installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        assert_eq!(service_sid("TrustedInstaller"), trusted_installer);
        assert_eq!(known_sid(r"NT Service\trustedinstaller").as_deref(), Some(trusted_installer));
        assert_eq!(known_sid("LocalSystem").as_deref(), Some("S-1-5-18"));
        assert_eq!(known_sid(r".\web"), None);
    }
}
