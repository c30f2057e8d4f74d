use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn root_or_skip(why: &str) -> bool {
    let root = super::super::machine::is_root();
    if !root {
        eprintln!("skipped: {why} needs root");
    }
    root
}

#[test]
fn each_kind_is_told_and_links_are_not_followed() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("file"), "content").unwrap();
    chmod(&at("file"), 0o640);
    symlink("file", at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let Found::File { content, mode, .. } = look(&at("file")).unwrap() else { panic!("not a file") };
    assert_eq!((content.as_slice(), mode), (&b"content"[..], 0o640));
    assert_eq!(look(&at("link")).unwrap(), Found::Link { target: "file".into() });
    assert_eq!(look(&at("folder")).unwrap(), Found::Folder);
    assert_eq!(look(&at("pipe")).unwrap(), Found::Other);
    assert_eq!(look(&at("nothing")).unwrap(), Found::Absent);
    assert_eq!(look(&at("nothing/below")).unwrap(), Found::Absent);
    let all = look_in(folder.path()).unwrap();
    let names: Vec<_> = all.iter().map(|(name, _)| name.to_str().unwrap()).collect();
    assert_eq!(names, ["file", "folder", "link", "pipe"]);
    assert!(all.iter().all(|(name, found)| look(&folder.path().join(name)).unwrap() == *found));
    assert!(look_in(&at("nothing")).unwrap().is_empty());
    assert_eq!(read(&at("nothing")).unwrap(), None);
    read(&at("link")).unwrap_err();
}

#[test]
fn a_huge_file_is_not_read() {
    let folder = folder();
    let path = folder.path().join("huge");
    fs::File::create(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
    let error = look(&path).unwrap_err();
    assert!(error.to_string().contains("larger than 16 MiB"), "{error}");
}

#[test]
fn a_file_is_replaced_with_its_mode_whatever_was_there() {
    let folder = folder();
    let path = folder.path().join("file");
    let other = folder.path().join("other");
    fs::write(&other, "other").unwrap();
    symlink(&other, &path).unwrap();
    replace(&path, b"new", 0o666, None).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o666);
    assert_eq!(fs::read(&other).unwrap(), b"other");
    let before = fs::File::open(&path).unwrap();
    replace(&path, b"newer", 0o600, None).unwrap();
    assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7777, 0o600);
    // Another inode: macOS ends a program that was written over, as its signature no longer fits.
    assert_ne!(fs::metadata(&path).unwrap().ino(), before.metadata().unwrap().ino());
    assert_eq!(names(folder.path()), ["file", "other"]);
}

#[test]
fn a_dangling_link_is_replaced_not_followed() {
    let folder = folder();
    let path = folder.path().join("file");
    symlink(folder.path().join("elsewhere"), &path).unwrap();
    replace(&path, b"x", 0o644, None).unwrap();
    assert_eq!(names(folder.path()), ["file"]);
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn a_link_is_replaced() {
    let folder = folder();
    let path = folder.path().join("link");
    replace_link(&path, Path::new("one")).unwrap();
    replace_link(&path, Path::new("/two")).unwrap();
    assert_eq!(look(&path).unwrap(), Found::Link { target: "/two".into() });
    assert_eq!(names(folder.path()), ["link"]);
}

#[test]
fn a_folder_is_not_replaced_and_leaves_no_temporary() {
    let folder = folder();
    let path = folder.path().join("folder");
    fs::create_dir(&path).unwrap();
    replace(&path, b"x", 0o644, None).unwrap_err();
    replace_link(&path, Path::new("x")).unwrap_err();
    assert_eq!(names(folder.path()), ["folder"]);
}

#[test]
fn removing_tells_whether_there_was_something() {
    let folder = folder();
    let path = folder.path().join("x");
    assert!(!remove(&path).unwrap());
    assert!(!remove(&path.join("below")).unwrap());
    symlink("nowhere", &path).unwrap();
    assert!(remove(&path).unwrap());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn folders_are_made_with_their_mode_and_removed_when_empty() {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    assert_eq!(make_folders(&at("a/b/c"), 0o775).unwrap(), [at("a"), at("a/b"), at("a/b/c")]);
    assert_eq!(fs::metadata(at("a/b")).unwrap().mode() & 0o7777, 0o775);
    assert!(make_folders(&at("a/b/c"), 0o700).unwrap().is_empty());
    assert!(!remove_folder_if_empty(&at("a")).unwrap());
    assert!(remove_folder_if_empty(&at("a/b/c")).unwrap());
    assert!(!remove_folder_if_empty(&at("a/b/c")).unwrap());
    fs::write(at("file"), "").unwrap();
    let error = make_folders(&at("file/below"), 0o755).unwrap_err();
    assert!(error.to_string().contains("is not a folder"), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let folder = folder();
    let error = replace(&folder.path().join("no/file"), b"", 0o644, None).unwrap_err();
    assert!(error.to_string().contains("/no` does not exist"), "{error}");
    replace(Path::new("relative"), b"", 0o644, None).unwrap_err();
}

#[test]
fn a_batch_survives_its_folders_being_made_anew() {
    let folder = folder();
    let sub = folder.path().join("sub");
    let mut batch = Batch::new();
    batch.make_folders(&sub, 0o755).unwrap();
    for number in 0..Batch::ROUND + 10 {
        batch.replace(&sub.join(number.to_string()), b"x", 0o644, None).unwrap();
    }
    for number in 0..Batch::ROUND + 10 {
        assert!(batch.remove(&sub.join(number.to_string())).unwrap());
    }
    assert!(batch.remove_folder_if_empty(&sub).unwrap());
    batch.make_folders(&sub, 0o755).unwrap();
    batch.replace(&sub.join("again"), b"x", 0o644, None).unwrap();
    batch.commit().unwrap();
    assert_eq!(names(&sub), ["again"]);
}

#[test]
fn what_a_killed_run_left_is_swept() {
    let folder = folder();
    fs::write(folder.path().join(".daemonctl-0123456789abcdef"), "secret").unwrap();
    fs::write(folder.path().join("kept"), "").unwrap();
    assert_eq!(list(folder.path()).unwrap(), ["kept"]);
    assert_eq!(sweep(folder.path()).unwrap(), 1);
    assert_eq!(names(folder.path()), ["kept"]);
    assert_eq!(sweep(&folder.path().join("nothing")).unwrap(), 0);
}

#[test]
fn temporaries_can_not_be_foreseen() {
    assert_ne!(temporary_name(), temporary_name());
    // launchd loads each `.plist` that a boot finds, and every manager goes by the ends of names.
    assert!(temporary_name().starts_with('.') && !temporary_name().trim_start_matches('.').contains('.'));
}

#[test]
fn a_journal_grows_and_is_private() {
    let folder = folder();
    let path = folder.path().join("journal");
    Log::open(&path).unwrap().append(b"one\n").unwrap();
    Log::open(&path).unwrap().append(b"two\n").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
}

/// A folder with `real/` and a link `link -> real`, both made by us.
fn with_link() -> (TempDir, PathBuf) {
    let folder = folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    let through = folder.path().join("link/file");
    (folder, through)
}

#[test]
fn a_link_in_a_folder_of_our_own_is_gone_through() {
    let (folder, through) = with_link();
    replace(&through, b"x", 0o644, None).unwrap();
    assert_eq!(names(&folder.path().join("real")), ["file"]);
    assert_eq!(read(&through).unwrap().unwrap(), b"x");
}

#[test]
fn a_link_with_dots_means_what_it_says() {
    let (folder, _) = with_link();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    symlink("../../real", folder.path().join("a/b/up")).unwrap();
    replace(&folder.path().join("a/b/up/file"), b"x", 0o644, None).unwrap();
    assert_eq!(names(&folder.path().join("real")), ["file"]);
}

#[test]
fn a_circle_of_links_ends() {
    let folder = folder();
    symlink("b", folder.path().join("a")).unwrap();
    symlink("a", folder.path().join("b")).unwrap();
    let error = replace(&folder.path().join("a/file"), b"", 0o644, None).unwrap_err();
    assert!(error.to_string().contains("too many symbolic links"), "{error}");
}

#[test]
fn a_link_in_a_folder_that_all_may_write_is_refused_by_name() {
    let (folder, through) = with_link();
    chmod(folder.path(), 0o777);
    for refused in [
        replace(&through, b"x", 0o644, None).unwrap_err(),
        replace_link(&through, Path::new("x")).unwrap_err(),
        remove(&through).unwrap_err(),
        make_folders(&through, 0o755).unwrap_err(),
        Log::open(&through).unwrap_err(),
        look(&through).unwrap_err(),
    ] {
        assert_eq!(refused.exit(), Exit::NotPermitted);
        let link = folder.path().join("link");
        assert!(refused.to_string().contains(link.to_str().unwrap()), "{refused}");
    }
    assert!(names(&folder.path().join("real")).is_empty());
}

#[test]
fn in_a_sticky_folder_our_own_link_is_fine() {
    let (folder, through) = with_link();
    chmod(folder.path(), 0o1777);
    replace(&through, b"x", 0o644, None).unwrap();
}

#[test]
fn in_a_sticky_folder_another_users_link_is_refused() {
    if !root_or_skip("giving a link away") {
        return;
    }
    let (folder, through) = with_link();
    chmod(folder.path(), 0o1777);
    std::os::unix::fs::lchown(folder.path().join("link"), Some(65534), None).unwrap();
    assert_eq!(replace(&through, b"x", 0o644, None).unwrap_err().exit(), Exit::NotPermitted);
}

#[test]
fn a_link_in_another_users_folder_is_refused() {
    if !root_or_skip("giving a folder away") {
        return;
    }
    let (folder, through) = with_link();
    chown(folder.path(), Some(65534), None).unwrap();
    let error = replace(&through, b"x", 0o644, None).unwrap_err();
    assert_eq!(error.exit(), Exit::NotPermitted);
    assert!(!error.hints().is_empty());
    assert!(names(&folder.path().join("real")).is_empty());
}

#[test]
fn an_owner_is_given() {
    if !root_or_skip("giving a file away") {
        return;
    }
    let folder = folder();
    let path = folder.path().join("file");
    replace(&path, b"x", 0o640, Some((65534, 65533))).unwrap();
    let seen = fs::metadata(&path).unwrap();
    assert_eq!((seen.uid(), seen.gid(), seen.mode() & 0o7777), (65534, 65533, 0o640));
}

/// Nobody else may open the content at any moment, not even when it has come to a rename of a file for all.
#[test]
fn a_temporary_is_private_while_it_is_filled() {
    let folder = folder();
    let open = sys::Folder::open(folder.path()).unwrap().unwrap();
    let name = open.create().unwrap().0;
    assert_eq!(fs::metadata(folder.path().join(name)).unwrap().mode() & 0o7777, 0o600);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_file_and_no_temporary() {
    if !root_or_skip("mounting a small file system") {
        return;
    }
    let folder = folder();
    let path = folder.path().to_owned();
    // A thread of its own, because it gets a mount namespace of its own.
    let tried = std::thread::spawn(move || {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};
        let private = unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS)
            .and_then(|()| mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>))
            .and_then(|()| mount(Some("small"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=64k")));
        if let Err(errno) = private {
            eprintln!("skipped: no mount namespace here: {errno}");
            return;
        }
        let file = path.join("unit");
        replace(&file, b"old", 0o644, None).unwrap();
        let error = replace(&file, &vec![b'x'; 100_000], 0o644, None).unwrap_err();
        assert!(error.hints().iter().any(|hint| hint.contains("free some space")), "{error:?}");
        assert_eq!(names(&path), ["unit"]);
        assert_eq!(fs::read(&file).unwrap(), b"old");
        // And a read-only one.
        mount(None::<&str>, &path, None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, None::<&str>).unwrap();
        let error = replace(&file, b"new", 0o644, None).unwrap_err();
        assert!(error.hints().iter().any(|hint| hint.contains("writable")), "{error:?}");
        assert_eq!(fs::read(&file).unwrap(), b"old");
    });
    tried.join().unwrap();
}

#[test]
fn a_tree_is_removed_and_links_in_it_are_not_followed() {
    let folder = folder();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("tree/a/b")).unwrap();
    fs::write(at("tree/a/b/file"), "").unwrap();
    fs::create_dir(at("kept")).unwrap();
    fs::write(at("kept/file"), "").unwrap();
    symlink(at("kept"), at("tree/a/link")).unwrap();
    assert!(remove_tree(&at("tree")).unwrap());
    assert!(!remove_tree(&at("tree")).unwrap());
    assert_eq!(names(folder.path()), ["kept"]);
    assert_eq!(names(&at("kept")), ["file"]);
}

#[test]
fn in_an_image_every_link_stays_in_it() {
    let folder = tempfile::tempdir().unwrap();
    chmod(folder.path(), 0o755);
    let (image, outside) = (folder.path().join("image"), folder.path().join("outside"));
    for folder in [&image, &outside, &image.join("real"), &image.join("var")] {
        fs::create_dir(folder).unwrap();
        chmod(folder, 0o755);
    }
    confine(&image);
    symlink(&outside, image.join("var/away")).unwrap();
    symlink("../../../outside", image.join("var/up")).unwrap();
    symlink("/real", image.join("var/real")).unwrap();
    symlink("../../../../real", image.join("var/back")).unwrap();
    // The first leads to where `outside` would be in the image, if there were one; so does the second.
    for away in ["var/away", "var/up"] {
        assert_eq!(look(&image.join(away).join("x")).unwrap(), Found::Absent, "{away}");
        replace(&image.join(away).join("x"), b"x", 0o644, None).unwrap_err();
    }
    make_folders(&image.join("var/away/made"), 0o755).unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(image.join(outside.strip_prefix("/").unwrap()).join("made").is_dir());
    for name in ["var/real/one", "var/back/two"] {
        replace(&image.join(name), b"x", 0o644, None).unwrap();
    }
    assert_eq!(list(&image.join("real")).unwrap(), ["one", "two"]);
}
