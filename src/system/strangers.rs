//! Who, beside root, can change what lies at a path.

use std::path::Path;

/// Who can put something else in the place of what is there, and where on the way: "`/srv/web` belongs to `web`". None:
/// root alone, or nothing is there. On Windows access lists tell (`access`).
#[must_use]
pub fn who_replaces(path: &Path) -> Option<String> {
    imp::who(path, false)
}

/// Who can put something of their own into a folder, or another folder in its place.
#[must_use]
pub fn who_adds_to(folder: &Path) -> Option<String> {
    imp::who(folder, true)
}

#[cfg(not(unix))]
mod imp {
    use std::path::Path;

    pub(super) const fn who(_: &Path, _: bool) -> Option<String> {
        None
    }
}

#[cfg(unix)]
mod imp {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use nix::unistd::{Gid, Group, Uid, User};

    /// Both the way as it is named and the way as it is: whoever owns a link on it leads it elsewhere.
    pub(super) fn who(path: &Path, adds: bool) -> Option<String> {
        along(path, adds).or_else(|| along(&path.canonicalize().ok()?, adds))
    }

    fn along(path: &Path, adds: bool) -> Option<String> {
        let mut below: Option<Metadata> = None;
        for place in path.ancestors() {
            let seen = place.symlink_metadata().ok()?;
            // In a folder with the sticky bit, root's things are root's.
            let kept = seen.mode() & 0o1000 != 0 && below.as_ref().is_some_and(|below| below.uid() == 0);
            let last = below.is_none() && !adds;
            // A link has no permissions of its own, and of what is run itself only the file's own count.
            let folder = seen.is_dir() || last && seen.is_file();
            if let Some(why) = weakness(&seen, folder && !kept) {
                return Some(format!("`{}` {why}", place.display()));
            }
            below = Some(seen);
        }
        None
    }

    fn weakness(seen: &Metadata, counts: bool) -> Option<String> {
        let mode = seen.mode();
        if seen.uid() != 0 {
            let name = User::from_uid(Uid::from_raw(seen.uid())).ok().flatten();
            return Some(format!("belongs to `{}`", name.map_or_else(|| seen.uid().to_string(), |user| user.name)));
        }
        if counts && mode & 0o002 != 0 {
            return Some(format!("may be written by everybody (mode {:04o})", mode & 0o7777));
        }
        if counts && mode & 0o020 != 0 && seen.gid() != 0 {
            let name = Group::from_gid(Gid::from_raw(seen.gid())).ok().flatten();
            let name = name.map_or_else(|| seen.gid().to_string(), |group| group.name);
            return Some(format!("may be written by the group `{name}` (mode {:04o})", mode & 0o7777));
        }
        None
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn what_root_alone_can_change_is_nobodys_else() {
        // Whatever machine this is.
        assert_eq!(who_replaces(Path::new("/no/such/thing")), None);
        if !crate::system::machine::is_root() {
            eprintln!("skipped: giving files away needs root");
            return;
        }
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let chmod = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        chmod(folder.path(), 0o755);
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("bin")).unwrap();
        fs::write(at("bin/web"), "").unwrap();
        chmod(&at("bin/web"), 0o755);
        chmod(&at("bin"), 0o755);
        // `/tmp` is everybody's, and its sticky bit keeps what is root's.
        assert_eq!(who_replaces(&at("bin/web")), None);
        assert_eq!(who_adds_to(&at("bin")), None);
        assert!(who_adds_to(Path::new("/tmp")).unwrap().contains("everybody"));

        chmod(&at("bin/web"), 0o757);
        assert!(who_replaces(&at("bin/web")).unwrap().ends_with("bin/web` may be written by everybody (mode 0757)"));
        chmod(&at("bin/web"), 0o755);
        chmod(&at("bin"), 0o777);
        assert!(who_replaces(&at("bin/web")).unwrap().contains("bin` may be written by everybody"));
        chmod(&at("bin"), 0o755);
        chown(at("bin"), Some(65_534), None).unwrap();
        symlink("bin/web", at("link")).unwrap();
        for path in ["bin/web", "link"] {
            assert!(who_replaces(&at(path)).unwrap().contains("bin` belongs to `"), "{path}");
        }
        assert!(who_adds_to(&at("bin")).unwrap().contains("bin` belongs to `"));
    }
}
