//! Access lists as Windows writes them down (SDDL): owner and discretionary list, taken apart and put together. Pure.
//!
//! Audit lists and labels are left alone: what is written back carries the discretionary list only.

use std::fmt;

/// Owner and access list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Descriptor {
    /// A security identifier, or one of the two-letter names that depend on the domain.
    pub(crate) owner: Option<String>,
    /// `P`, `AI`, ... as it stands.
    pub(crate) flags: String,
    /// None: there is no list, and everybody may do everything.
    pub(crate) entries: Option<Vec<Entry>>,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `A`, `D`, `OA`, `XA`, ...
    pub(crate) kind: String,
    /// `OI`, `CI`, `IO`, `ID`, ... run together.
    pub(crate) flags: String,
    /// What it is about, bit by bit.
    pub(crate) mask: u32,
    /// Object identifiers and conditions, as they stand.
    pub(crate) object: (String, String),
    /// Whom.
    pub(crate) who: String,
    /// A condition, as it stands.
    pub(crate) condition: Option<String>,
}

impl Entry {
    /// Allows `who` what `mask` says.
    pub(crate) fn allow(who: &str, mask: u32) -> Self {
        Self {
            kind: "A".to_owned(),
            flags: String::new(),
            mask,
            object: (String::new(), String::new()),
            who: who.to_owned(),
            condition: None,
        }
    }

    /// It takes away.
    pub(crate) fn denies(&self) -> bool {
        matches!(self.kind.as_str(), "D" | "OD" | "XD")
    }

    /// It gives.
    pub(crate) fn allows(&self) -> bool {
        matches!(self.kind.as_str(), "A" | "OA" | "XA" | "ZA")
    }

    /// It counts for what is below only.
    pub(crate) fn inherit_only(&self) -> bool {
        self.has("IO")
    }

    /// It came from above.
    pub(crate) fn inherited(&self) -> bool {
        self.has("ID")
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.as_bytes().chunks(2).any(|pair| pair == flag.as_bytes())
    }
}

/// Names of two letters that stand for the same identifier on every machine.
const NAMES: [(&str, &str); 24] = [
    ("AA", "S-1-5-32-579"),
    ("AC", "S-1-15-2-1"),
    ("AN", "S-1-5-7"),
    ("AU", "S-1-5-11"),
    ("BA", "S-1-5-32-544"),
    ("BG", "S-1-5-32-546"),
    ("BO", "S-1-5-32-551"),
    ("BU", "S-1-5-32-545"),
    ("CG", "S-1-3-1"),
    ("CO", "S-1-3-0"),
    ("ED", "S-1-5-9"),
    ("HA", "S-1-5-32-578"),
    ("IU", "S-1-5-4"),
    ("LS", "S-1-5-19"),
    ("NO", "S-1-5-32-556"),
    ("NS", "S-1-5-20"),
    ("NU", "S-1-5-2"),
    ("OW", "S-1-3-4"),
    ("PO", "S-1-5-32-550"),
    ("PU", "S-1-5-32-547"),
    ("RC", "S-1-5-12"),
    ("SO", "S-1-5-32-549"),
    ("SU", "S-1-5-6"),
    ("SY", "S-1-5-18"),
];

/// Rights of two letters.
const RIGHTS: [(&str, u32); 27] = [
    ("GA", 0x1000_0000),
    ("GX", 0x2000_0000),
    ("GW", 0x4000_0000),
    ("GR", 0x8000_0000),
    ("RC", 0x2_0000),
    ("SD", 0x1_0000),
    ("WD", 0x4_0000),
    ("WO", 0x8_0000),
    ("CC", 0x1),
    ("DC", 0x2),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
    ("LO", 0x80),
    ("CR", 0x100),
    ("FA", 0x1f_01ff),
    ("FR", 0x12_0089),
    ("FW", 0x12_0116),
    ("FX", 0x12_00a0),
    ("KA", 0xf_003f),
    ("KR", 0x2_0019),
    ("KW", 0x2_0006),
    ("KX", 0x2_0019),
    ("NR", 0x1),
    ("NW", 0x2),
];

/// Takes a text apart; None: it is no access list.
pub(crate) fn parse(text: &str) -> Option<Descriptor> {
    let mut made = Descriptor::default();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (section, after) = rest.split_at_checked(2)?;
        // A section ends where the next begins: a letter and a colon outside of parentheses.
        let end = end_of_section(after);
        let (body, next) = after.split_at(end);
        match section {
            "O:" => made.owner = Some(identifier(body)),
            "D:" => {
                if body.starts_with("NO_ACCESS_CONTROL") {
                    made.entries = None;
                } else {
                    let open = body.find('(').unwrap_or(body.len());
                    body[..open].clone_into(&mut made.flags);
                    made.entries = Some(entries(&body[open..])?);
                }
            }
            "G:" | "S:" => {}
            _ => return None,
        }
        rest = next;
    }
    Some(made)
}

fn end_of_section(text: &str) -> usize {
    let mut depth = 0_u32;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && at > 0 => return at - 1,
            _ => {}
        }
    }
    text.len()
}

fn entries(mut text: &str) -> Option<Vec<Entry>> {
    let mut list = Vec::new();
    while !text.is_empty() {
        let inner = text.strip_prefix('(')?;
        // Conditions have parentheses of their own.
        let mut depth = 1_u32;
        let end = inner.bytes().position(|byte| {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        let mut fields = inner[..end].splitn(7, ';');
        let mut next = || fields.next();
        let (kind, flags, rights) = (next()?, next()?, next()?);
        let (object, inherited, who) = (next()?, next()?, next()?);
        list.push(Entry {
            kind: kind.to_owned(),
            flags: flags.to_owned(),
            mask: mask(rights)?,
            object: (object.to_owned(), inherited.to_owned()),
            who: identifier(who),
            condition: next().map(str::to_owned),
        });
        text = &inner[end + 1..];
    }
    Some(list)
}

fn identifier(text: &str) -> String {
    NAMES.iter().find(|(name, _)| *name == text).map_or(text, |(_, sid)| sid).to_owned()
}

/// `WD` is an identifier too: everybody. It is also a right, so it stands in none of the tables above.
pub(crate) const EVERYONE: &str = "S-1-1-0";

fn mask(text: &str) -> Option<u32> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u32::from_str_radix(hex, 16).ok();
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mut mask = 0;
    for pair in text.as_bytes().chunks(2) {
        mask |= RIGHTS.iter().find(|(name, _)| name.as_bytes() == pair)?.1;
    }
    Some(mask)
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(entries) = &self.entries else { return f.write_str("D:NO_ACCESS_CONTROL") };
        write!(f, "D:{}", self.flags)?;
        for entry in entries {
            let (object, inherited) = &entry.object;
            write!(f, "({};{};{:#x};{object};{inherited};{}", entry.kind, entry.flags, entry.mask, entry.who)?;
            if let Some(condition) = &entry.condition {
                write!(f, ";{condition}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// Adds what is allowed to a list, where it is not allowed already; Windows wants what denies first, what was inherited
/// last. False: nothing was missing.
pub(crate) fn add(descriptor: &mut Descriptor, who: &str, mask: u32) -> bool {
    let Some(entries) = &mut descriptor.entries else { return false };
    if allows(entries, who, mask) {
        return false;
    }
    let at = entries.iter().position(Entry::inherited).unwrap_or(entries.len());
    entries.insert(at, Entry::allow(who, mask));
    true
}

/// Takes back what [`add`] added; false: it is not there.
pub(crate) fn take_back(descriptor: &mut Descriptor, who: &str, mask: u32) -> bool {
    let Some(entries) = &mut descriptor.entries else { return false };
    let before = entries.len();
    let ours = Entry::allow(who, mask);
    entries.retain(|entry| *entry != ours);
    entries.len() != before
}

/// Whether the list allows `who` itself all of that, whatever groups may do besides.
pub(crate) fn allows(entries: &[Entry], who: &str, mask: u32) -> bool {
    let allowed = entries
        .iter()
        .filter(|entry| entry.allows() && !entry.inherit_only() && entry.who.eq_ignore_ascii_case(who))
        .fold(0, |allowed, entry| allowed | entry.mask);
    allowed & mask == mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Windows gives a service that nobody touched.
    const DEFAULT: &str = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)S:(AU;FA;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)";

    #[test]
    fn a_services_list_is_read_and_written() {
        let read = parse(DEFAULT).unwrap();
        let entries = read.entries.as_ref().unwrap();
        assert_eq!(entries.len(), 4);
        assert_eq!((entries[1].who.as_str(), entries[1].mask), ("S-1-5-32-544", 0xf_01ff));
        assert_eq!(parse(&read.to_string()).unwrap(), read);
        assert!(!read.to_string().contains("S:"), "the audit list is left alone");
    }

    #[test]
    fn owners_flags_and_conditions() {
        let text = r#"O:BAG:SYD:PAI(D;;GA;;;BG)(XA;OICI;FR;;;BU;(@User.Title == "a:b (c)"))(A;OICIIO;0x1301bf;;;CO)"#;
        let read = parse(text).unwrap();
        assert_eq!((read.owner.as_deref(), read.flags.as_str()), (Some("S-1-5-32-544"), "PAI"));
        let entries = read.entries.as_ref().unwrap();
        assert!(entries[0].denies() && entries[1].allows() && entries[2].inherit_only());
        assert!(entries[1].condition.as_deref().unwrap().contains("a:b (c)"));
        assert_eq!(parse("D:NO_ACCESS_CONTROL").unwrap().entries, None);
        assert_eq!(parse("D:").unwrap().entries, Some(vec![]));
        for wrong in ["D:(A;;GA)", "D:(A;;QQ;;;SY)", "X:", "D:(A;;GA;;;SY"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_added_goes_before_what_was_inherited_and_comes_off_again() {
        let mut list = parse("D:(D;;RP;;;BG)(A;;CC;;;SY)(A;ID;CC;;;BU)").unwrap();
        let before = list.clone();
        assert!(add(&mut list, "S-1-5-21-1-2-3-4", 0x34));
        assert!(!add(&mut list, "S-1-5-21-1-2-3-4", 0x30), "it may already");
        assert_eq!(list.entries.as_ref().unwrap()[2], Entry::allow("S-1-5-21-1-2-3-4", 0x34));
        assert!(take_back(&mut list, "S-1-5-21-1-2-3-4", 0x34));
        assert_eq!(list, before);
        let mut none = parse("D:NO_ACCESS_CONTROL").unwrap();
        assert!(!add(&mut none, "S-1-5-4", 1), "everybody may everything");
    }
}
