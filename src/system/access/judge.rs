//! Who else could change what a service runs: a judgement on access lists. Pure.
//!
//! Whoever can write the program, its folder, the manifest or a hook becomes the service's account at its next start; and
//! whoever can rename a folder above them can put others in their place. Windows makes that easy: `C:\ProgramData` lets
//! every user make files, and a folder made in `C:\` inherits that users may change it.

use super::sddl::{Descriptor, EVERYONE, Entry};

/// What a thing is to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A file that is run or read.
    File,
    /// The folder that it lies in: a new DLL there is loaded too.
    Folder,
    /// A folder further above: only what takes away or replaces matters.
    Above,
    /// The service's key in the registry.
    RegistryKey,
    /// The service itself.
    Service,
}

const DELETE: u32 = 0x1_0000;
const WRITE_DAC: u32 = 0x4_0000;
const WRITE_OWNER: u32 = 0x8_0000;
const WRITE_DATA: u32 = 0x2;
const APPEND_DATA: u32 = 0x4;
const DELETE_CHILD: u32 = 0x40;

/// Rights that a stranger must not have, with their names.
const fn dangerous(thing: Thing) -> &'static [(u32, &'static str)] {
    match thing {
        Thing::File => &[
            (WRITE_DATA, "write it"),
            (APPEND_DATA, "append to it"),
            (DELETE, "delete it"),
            (WRITE_DAC, "change its access list"),
            (WRITE_OWNER, "take it over"),
        ],
        Thing::Folder => &[
            (WRITE_DATA, "make files in it"),
            (DELETE_CHILD, "delete what is in it"),
            (DELETE, "delete it"),
            (WRITE_DAC, "change its access list"),
            (WRITE_OWNER, "take it over"),
        ],
        Thing::Above => &[
            (DELETE_CHILD, "delete what is in it"),
            (DELETE, "delete or rename it"),
            (WRITE_DAC, "change its access list"),
            (WRITE_OWNER, "take it over"),
        ],
        Thing::RegistryKey => &[
            (0x2, "set its values"),
            (0x4, "make keys in it"),
            (DELETE, "delete it"),
            (WRITE_DAC, "change its access list"),
            (WRITE_OWNER, "take it over"),
        ],
        Thing::Service => &[
            (0x2, "change its configuration"),
            (DELETE, "delete it"),
            (WRITE_DAC, "change its access list"),
            (WRITE_OWNER, "take it over"),
        ],
    }
}

/// What the generic rights (read, write, execute, all) mean for it.
const fn generic(thing: Thing) -> [(u32, u32); 4] {
    let [read, write, execute, all] = match thing {
        Thing::File | Thing::Folder | Thing::Above => [0x12_0089, 0x12_0116, 0x12_00a0, 0x1f_01ff],
        Thing::RegistryKey => [0x2_0019, 0x2_0006, 0x2_0019, 0xf_003f],
        Thing::Service => [0x2_008d, 0x2_0002, 0x2_0170, 0xf_01ff],
    };
    [(0x8000_0000, read), (0x4000_0000, write), (0x2000_0000, execute), (0x1000_0000, all)]
}

/// A mask with its generic bits written out. The right to do anything (`MAXIMUM_ALLOWED`) is none of a list.
fn expand(mask: u32, thing: Thing) -> u32 {
    generic(thing)
        .iter()
        .fold(mask & 0x0fff_ffff, |made, (bit, means)| if mask & bit == 0 { made } else { made | means })
}

/// Those who may change the machine anyway: the system, administrators, the installer of Windows, and whoever asks (an
/// administrator, or it could not install).
fn is_trusted(who: &str, own: &str) -> bool {
    const TRUSTED: [&str; 4] = [
        "S-1-5-18",
        "S-1-5-32-544",
        "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
        // The owner, in an entry for what is made below: looked at there.
        "S-1-3-0",
    ];
    // Administrators of the domain and of the forest, and the machine's first administrator.
    let of_domain = who.starts_with("S-1-5-21-") && ["-500", "-512", "-519"].iter().any(|end| who.ends_with(end));
    TRUSTED.contains(&who) || of_domain || ["DA", "EA", "LA"].contains(&who) || who.eq_ignore_ascii_case(own)
}

/// Well-known names, for messages.
pub(crate) fn called(who: &str) -> String {
    let name = match who {
        EVERYONE | "WD" => "Everyone",
        "S-1-5-11" => "Authenticated Users",
        "S-1-5-32-545" => "Users",
        "S-1-5-4" => "INTERACTIVE",
        "S-1-5-2" => "NETWORK",
        "S-1-5-7" => "ANONYMOUS LOGON",
        "S-1-5-6" => "SERVICE",
        "S-1-5-19" => "LOCAL SERVICE",
        "S-1-5-20" => "NETWORK SERVICE",
        "S-1-5-32-546" | "BG" => "Guests",
        "S-1-5-32-547" => "Power Users",
        "DU" => "Domain Users",
        "DG" => "Domain Guests",
        _ if who.starts_with("S-1-5-21-") && who.ends_with("-513") => "Domain Users",
        _ => return who.to_owned(),
    };
    format!("{name} ({who})")
}

/// What strangers may do with it that they must not: who, and what. `own` is who asks.
pub(crate) fn weaknesses(descriptor: &Descriptor, thing: Thing, own: &str) -> Vec<String> {
    let Some(entries) = &descriptor.entries else {
        return vec!["it has no access list: everybody may do everything".to_owned()];
    };
    let mut found = Vec::new();
    if let Some(owner) = &descriptor.owner
        && !is_trusted(owner, own)
    {
        found.push(format!("it belongs to {}, who can change its access list", called(owner)));
    }
    let mut seen: Vec<&str> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.allows()) {
        let who = if entry.who == "WD" { EVERYONE } else { entry.who.as_str() };
        if seen.contains(&who) || is_trusted(who, own) {
            continue;
        }
        seen.push(who);
        let allowed = effective(entries, who, thing);
        let may: Vec<&str> =
            dangerous(thing).iter().filter(|(bit, _)| allowed & bit != 0).map(|(_, name)| *name).collect();
        if !may.is_empty() {
            found.push(format!("{} may {}", called(who), may.join(", ")));
        }
    }
    found
}

/// What a list gives somebody: entry by entry, and what was decided first stays.
fn effective(entries: &[Entry], who: &str, thing: Thing) -> u32 {
    let (mut allowed, mut denied) = (0, 0);
    for entry in entries.iter().filter(|entry| !entry.inherit_only()) {
        let himself = entry.who.eq_ignore_ascii_case(who) || (entry.who == "WD" && who == EVERYONE);
        // What is taken from everybody is taken from him; what everybody is given is told of everybody.
        let included = matches!(entry.who.as_str(), EVERYONE | "WD")
            // Who is neither anonymous nor a guest has proved who he is.
            || (entry.who == "S-1-5-11" && !matches!(who, EVERYONE | "S-1-5-7" | "S-1-5-32-546" | "BG"));
        // A condition may hold or not: it gives where it might, and takes nothing away for certain.
        if entry.denies() && (himself || included) && entry.condition.is_none() {
            denied |= expand(entry.mask, thing) & !allowed;
        } else if entry.allows() && himself {
            allowed |= expand(entry.mask, thing) & !denied;
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::super::sddl::parse;
    use super::*;

    const ME: &str = "S-1-5-21-1-2-3-1001";

    fn found(sddl: &str, thing: Thing) -> Vec<String> {
        weaknesses(&parse(sddl).unwrap(), thing, ME)
    }

    #[test]
    fn program_files_is_safe() {
        let sddl = "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464D:PAI(A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)\
                    (A;CIIO;GA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)\
                    (A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)(A;;0x1200a9;;;AC)";
        assert!(found(sddl, Thing::Folder).is_empty() && found(sddl, Thing::Above).is_empty());
    }

    #[test]
    fn program_data_lets_users_make_files() {
        let sddl =
            "O:SYG:SYD:PAI(A;OICIIO;FA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;DCLCRPCR;;;BU)";
        assert_eq!(found(sddl, Thing::Folder), ["Users (S-1-5-32-545) may make files in it"]);
        assert!(found(sddl, Thing::Above).is_empty(), "what lies below is safe if its own list is");
    }

    #[test]
    fn a_folder_made_in_the_root_may_be_changed_by_users() {
        let sddl = "O:BAG:DUD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)";
        let weak = found(sddl, Thing::Folder);
        assert!(
            weak[0].starts_with("Authenticated Users (S-1-5-11) may make files in it") && weak.len() == 1,
            "{weak:?}"
        );
        assert!(found(sddl, Thing::Above)[0].contains("delete or rename it"));
        assert!(found("O:BAD:(A;;FA;;;BA)(A;;GRGX;;;WD)", Thing::File).is_empty());
    }

    #[test]
    fn what_was_decided_first_stays() {
        assert!(found("O:BAD:(D;;FW;;;BU)(A;;FA;;;BU)", Thing::File)[0].contains("delete it"));
        assert!(!found("O:BAD:(D;;FW;;;BU)(A;;FA;;;BU)", Thing::File)[0].contains("write it"));
        assert!(found("O:BAD:(D;;GA;;;WD)(A;;FA;;;BU)", Thing::File).is_empty(), "everyone is also a user");
        assert!(found("O:BAD:(A;;FA;;;BU)(D;;GA;;;WD)", Thing::File)[0].contains("write it"), "too late");
        assert!(!found("O:BAD:(XD;;GA;;;BU;(Exists x))(A;;GW;;;BU)", Thing::File).is_empty(), "it may not hold");
        assert!(found("O:BAD:(A;OICIIO;GA;;;BU)", Thing::File).is_empty(), "for what is below only");
    }

    #[test]
    fn generic_rights_mean_what_the_thing_is() {
        assert_eq!(found("O:BAD:(A;;GW;;;WD)", Thing::File), ["Everyone (S-1-1-0) may write it, append to it"]);
        assert!(found("O:BAD:(A;;GR;;;WD)", Thing::File).is_empty());
        assert!(found("O:BAD:(A;;KW;;;BU)", Thing::RegistryKey)[0].contains("set its values"));
        assert!(found("O:BAD:(A;;CCDCLC;;;BU)", Thing::Service)[0].contains("change its configuration"));
    }

    #[test]
    fn owners_and_lists_that_are_missing() {
        assert!(found("O:BUD:(A;;FA;;;BA)", Thing::File)[0].contains("belongs to Users"));
        assert!(found("O:BAD:NO_ACCESS_CONTROL", Thing::File)[0].contains("no access list"));
        assert!(
            found(&format!("O:{ME}D:(A;;FA;;;{ME})(A;;FA;;;LA)"), Thing::File).is_empty(),
            "who installs is one of us"
        );
        assert!(!found("O:BAD:(A;;FA;;;S-1-5-21-1-2-3-1002)", Thing::File).is_empty());
    }
}
