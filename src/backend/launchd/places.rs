//! Whether launchd and the program may use the files that a job names. Pure: what a path is comes from [`Places`].
//!
//! launchd loads only property lists that nobody but their owner can change, and says no more than 5 about others. A daemon
//! runs as root whatever its path leads to, so who may write there may become root. And macOS keeps what it starts out of a
//! user's documents, whoever the user is.

use std::path::{Path, PathBuf};

use crate::layout::Scope;

/// What lies at a path, its last link not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) kind: Kind,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Permission bits, the sticky one among them.
    pub(super) mode: u32,
    /// It carries the mark of a download.
    pub(super) quarantined: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// A window on a file system.
pub(super) trait Places: Send + Sync {
    /// None: nothing is there, or it cannot be looked at.
    fn look(&self, path: &Path) -> Option<Fact>;
    /// Where a path leads when every link is followed.
    fn resolved(&self, path: &Path) -> Option<PathBuf>;
    /// Who we are.
    fn uid(&self) -> u32;
}

/// Something wrong, and its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) why: String,
    pub(super) remedy: String,
}

/// Groups of administrators: wheel, and admin of macOS. Who is in them can become root anyway.
const ADMINISTRATORS: [u32; 2] = [0, 80];

/// Whether launchd would load a property list that is there already.
pub(super) fn of_definition(places: &dyn Places, path: &Path, scope: Scope) -> Option<Fault> {
    let shown = path.display();
    let owner = match scope {
        Scope::System => 0,
        Scope::User => places.uid(),
    };
    let fact = places.look(path)?;
    if fact.kind != Kind::File {
        return Some(Fault {
            why: format!("`{shown}` is no regular file"),
            remedy: "put the file itself there".to_owned(),
        });
    }
    if fact.uid != owner {
        return Some(Fault {
            why: format!("`{shown}` belongs to the user {}, not to {owner}", fact.uid),
            remedy: format!("`chown {owner} {shown}`, or install the manifest again"),
        });
    }
    if fact.mode & 0o022 != 0 {
        return Some(Fault {
            why: format!("others may write `{shown}` (mode {:04o})", fact.mode & 0o7777),
            remedy: format!("`chmod 644 {shown}`"),
        });
    }
    if fact.quarantined {
        return Some(Fault {
            why: format!("`{shown}` is marked as a download"),
            remedy: format!("`xattr -d com.apple.quarantine {shown}`"),
        });
    }
    of_folders(places, path, scope)
}

/// Whether somebody else could put another file in its place.
pub(super) fn of_folders(places: &dyn Places, path: &Path, scope: Scope) -> Option<Fault> {
    let ours = |uid: u32| uid == 0 || scope == Scope::User && uid == places.uid();
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        let Some(fact) = places.look(folder) else { continue };
        let shown = folder.display();
        if fact.kind == Kind::Folder && !ours(fact.uid) {
            return Some(Fault {
                why: format!("the folder `{shown}` belongs to the user {}", fact.uid),
                remedy: format!("`chown root {shown}`"),
            });
        }
        if fact.kind == Kind::Folder && writable_by_others(fact) {
            return Some(Fault {
                why: format!("others may write in the folder `{shown}` (mode {:04o})", fact.mode & 0o7777),
                remedy: format!("`chmod go-w {shown}`"),
            });
        }
    }
    None
}

/// In a sticky folder nobody can replace what belongs to somebody else.
const fn writable_by_others(fact: Fact) -> bool {
    let group = fact.mode & 0o020 != 0 && fact.gid != ADMINISTRATORS[0] && fact.gid != ADMINISTRATORS[1];
    (fact.mode & 0o002 != 0 || group) && fact.mode & 0o1000 == 0
}

/// What would keep a program from running, whoever runs it.
pub(super) fn of_program(places: &dyn Places, path: &Path) -> Option<Fault> {
    let real = places.resolved(path)?;
    let fact = places.look(&real)?;
    if fact.quarantined {
        return Some(Fault {
            why: format!("macOS does not run `{}`: it is marked as a download", path.display()),
            remedy: format!("if you trust it: `xattr -d com.apple.quarantine {}`", real.display()),
        });
    }
    None
}

/// Who else could become root by a daemon's program: a remark, since many a Mac has /usr/local and /opt/homebrew that way.
pub(super) fn root_by(places: &dyn Places, path: &Path) -> Option<String> {
    let real = places.resolved(path)?;
    real.ancestors().filter(|part| !part.as_os_str().is_empty()).find_map(|part| {
        let fact = places.look(part)?;
        let shown = part.display();
        if fact.uid != 0 {
            Some(format!("root runs `{}`, and the user {} may change `{shown}`", path.display(), fact.uid))
        } else if writable_by_others(fact) && fact.kind != Kind::Link {
            Some(format!("root runs `{}`, and others may write `{shown}`", path.display()))
        } else {
            None
        }
    })
}

/// Folders of a home that macOS asks the user about, and that nobody can allow for a job that runs unseen.
const PROTECTED: [&str; 4] = ["Documents", "Desktop", "Downloads", "Library/Mobile Documents"];

/// The protected folder that a path lies in.
pub(super) fn protected(path: &Path) -> Option<PathBuf> {
    if let Ok(rest) = path.strip_prefix("/Volumes") {
        return rest.components().next().map(|volume| Path::new("/Volumes").join(volume));
    }
    let rest = path.strip_prefix("/Users").ok()?;
    let user = rest.components().next()?;
    let home = Path::new("/Users").join(user);
    PROTECTED.iter().map(|name| home.join(name)).find(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A file system of paths, and what they are.
    #[derive(Default)]
    struct Disk(BTreeMap<PathBuf, Fact>);

    impl Disk {
        fn with(mut self, path: &str, kind: Kind, uid: u32, mode: u32) -> Self {
            self.0
                .insert(path.into(), Fact { kind, uid, gid: if uid == 0 { 0 } else { 20 }, mode, quarantined: false });
            self
        }

        fn standard() -> Self {
            Self::default()
                .with("/", Kind::Folder, 0, 0o755)
                .with("/Library", Kind::Folder, 0, 0o755)
                .with("/Library/LaunchDaemons", Kind::Folder, 0, 0o755)
                .with("/opt", Kind::Folder, 0, 0o755)
                .with("/tmp", Kind::Folder, 0, 0o1777)
        }
    }

    impl Places for Disk {
        fn look(&self, path: &Path) -> Option<Fact> {
            self.0.get(path).copied()
        }
        fn resolved(&self, path: &Path) -> Option<PathBuf> {
            self.0.contains_key(path).then(|| path.to_owned())
        }
        fn uid(&self) -> u32 {
            501
        }
    }

    const LIST: &str = "/Library/LaunchDaemons/a.plist";

    fn why(disk: &Disk, scope: Scope) -> String {
        of_definition(disk, Path::new(LIST), scope).map_or_else(String::new, |fault| fault.why)
    }

    #[test]
    fn a_definition_is_its_owners_alone() {
        let with = |uid, mode| Disk::standard().with(LIST, Kind::File, uid, mode);
        assert_eq!(why(&with(0, 0o644), Scope::System), "");
        assert!(why(&with(501, 0o644), Scope::System).contains("belongs to the user 501, not to 0"));
        assert!(why(&with(0, 0o644), Scope::User).contains("not to 501"));
        for mode in [0o664, 0o646, 0o666] {
            assert!(why(&with(0, mode), Scope::System).contains("others may write"), "{mode:o}");
        }
        let link = Disk::standard().with(LIST, Kind::Link, 0, 0o755);
        assert!(why(&link, Scope::System).contains("no regular file"));
        let mut download = with(0, 0o644);
        download.0.get_mut(Path::new(LIST)).unwrap().quarantined = true;
        assert!(why(&download, Scope::System).contains("download"));
    }

    #[test]
    fn its_folders_are_too() {
        let loose = Disk::standard().with(LIST, Kind::File, 0, 0o644).with("/Library", Kind::Folder, 0, 0o777);
        assert!(why(&loose, Scope::System).contains("others may write in the folder `/Library`"));
        let foreign = Disk::standard().with(LIST, Kind::File, 0, 0o644).with("/Library", Kind::Folder, 502, 0o755);
        assert!(why(&foreign, Scope::System).contains("belongs to the user 502"));
    }

    #[test]
    fn who_may_change_a_daemons_program_is_root() {
        let disk = Disk::standard()
            .with("/opt/homebrew", Kind::Folder, 501, 0o755)
            .with("/opt/homebrew/a", Kind::File, 501, 0o755)
            .with("/opt/a", Kind::File, 0, 0o755)
            .with("/opt/b", Kind::File, 0, 0o777)
            .with("/tmp/a", Kind::File, 0, 0o755);
        assert_eq!(root_by(&disk, Path::new("/opt/a")), None);
        assert_eq!(root_by(&disk, Path::new("/tmp/a")), None, "a sticky folder protects what is in it");
        assert!(root_by(&disk, Path::new("/opt/homebrew/a")).unwrap().contains("user 501"));
        assert!(root_by(&disk, Path::new("/opt/b")).unwrap().contains("others may write"));
    }

    #[test]
    fn a_downloaded_program_is_told() {
        let mut disk = Disk::standard().with("/opt/a", Kind::File, 0, 0o755);
        assert_eq!(of_program(&disk, Path::new("/opt/a")), None);
        disk.0.get_mut(Path::new("/opt/a")).unwrap().quarantined = true;
        assert!(of_program(&disk, Path::new("/opt/a")).unwrap().remedy.contains("xattr -d"));
    }

    #[test]
    fn documents_are_protected() {
        let of = |path: &str| protected(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(of("/Users/lab/Documents/x/run").as_deref(), Some("/Users/lab/Documents"));
        assert_eq!(of("/Users/lab/Desktop").as_deref(), Some("/Users/lab/Desktop"));
        assert_eq!(of("/Volumes/Disk/x").as_deref(), Some("/Volumes/Disk"));
        assert_eq!(of("/Users/lab/Documents2/x"), None);
        assert_eq!(of("/opt/x"), None);
    }
}
