//! Logs in folders of a service whose user means harm: nothing that the host does as root there reaches beyond them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::rotate::{Retention, generation, keep_house};
use super::writer::Writer;
use crate::service::{Compress, LogFormat, Logs};

const STRANGER: u32 = 65_534;

/// A folder of ours, with one of the stranger's in it; None: only root can be fooled like that.
fn folders() -> Option<(tempfile::TempDir, PathBuf)> {
    if !crate::system::machine::is_root() {
        eprintln!("skipped: giving folders away needs root");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let theirs = folder.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
    // What root makes in there belongs to their group: it is theirs to read.
    fs::set_permissions(&theirs, PermissionsExt::from_mode(0o2755)).unwrap();
    Some((folder, theirs))
}

fn logs(archive: Option<&Path>) -> Logs {
    Logs {
        native: false,
        file: None,
        format: LogFormat::Raw,
        max_size: Some(4),
        max_age: None,
        keep: Some(1),
        total: None,
        compress: Compress::None,
        archive: archive.map(|folder| crate::service::Archive::Folder(folder.to_owned())),
    }
}

fn retention(compress: Compress) -> Retention {
    Retention { keep: None, max_age: None, total: None, compress, archive: None, owner: Some(STRANGER) }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_on_the_way_that_became_a_link_is_not_gone_through() {
    let Some((folder, theirs)) = folders() else { return };
    let elsewhere = folder.path().join("cron.d");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, theirs.join("logs")).unwrap();
    for path in [theirs.join("logs/job"), theirs.join("logs/deep/job")] {
        let mut writer = Writer::new(path, &logs(None), Some(STRANGER));
        writer.write(b"* * * * * root id\n");
        assert!(writer.trouble.as_ref().is_some_and(|why| why.contains("symbolic link")), "{:?}", writer.trouble);
    }
    assert!(names(&elsewhere).is_empty());

    // Where they lead the archive.
    let mut writer = Writer::new(theirs.join("job"), &logs(Some(&theirs.join("logs"))), Some(STRANGER));
    writer.write(b"* * * * * root id\n");
    assert!(writer.trouble.as_ref().is_some_and(|why| why.contains("cannot rotate")), "{:?}", writer.trouble);
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn another_services_logs_are_neither_written_nor_thrown_away() {
    let Some((folder, theirs)) = folders() else { return };
    let others = folder.path().join("others");
    fs::create_dir(&others).unwrap();
    fs::write(others.join("current.log"), "theirs\n").unwrap();
    for second in 1..=3 {
        let at = Timestamp::from_second(second).unwrap();
        fs::write(generation(&others.join("current.log"), None, at), "old\n").unwrap();
    }
    let before = names(&others);
    symlink(&others, theirs.join("logs")).unwrap();
    let current = theirs.join("logs/current.log");
    Writer::new(current.clone(), &logs(None), Some(STRANGER)).write(b"forged\n");
    // None of them is found there.
    keep_house(&current, &Retention { keep: Some(0), ..retention(Compress::Gzip) }).unwrap();
    assert_eq!(names(&others), before);
    assert_eq!(fs::read(others.join("current.log")).unwrap(), b"theirs\n");
}

#[test]
fn what_is_compressed_is_a_log_and_no_secret_of_others() {
    let Some((folder, theirs)) = folders() else { return };
    let secret = folder.path().join("shadow");
    fs::write(&secret, "root:secret\n").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let current = theirs.join("current.log");
    let at = |second| generation(&current, None, Timestamp::from_second(second).unwrap());
    symlink(&secret, at(1)).unwrap();
    fs::hard_link(&secret, at(2)).unwrap();
    nix::unistd::mkfifo(&at(3), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::write(at(4), "a log\n").unwrap();
    for compress in [Compress::Gzip, Compress::Zstd] {
        let error = keep_house(&current, &retention(compress)).unwrap_err();
        eprintln!("{error}");
    }
    let made: Vec<_> =
        names(&theirs).into_iter().filter(|name| name.ends_with("gz") || name.ends_with("zst")).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(super::read::whole(&theirs.join(&made[0])).unwrap(), b"a log\n");
    assert_eq!(fs::read(&secret).unwrap(), b"root:secret\n");
}

#[test]
fn a_pipe_in_the_place_of_a_log_holds_up_nobody() {
    let Some((_folder, theirs)) = folders() else { return };
    let path = theirs.join("current.log");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut writer = Writer::new(path.clone(), &logs(None), Some(STRANGER));
    writer.write(b"lost\n");
    assert_eq!((writer.dropped, writer.mid_line()), (5, false));
    crate::host::sys::show_log(&path).unwrap_err();
    super::read::whole(&path).unwrap_err();
}

#[test]
fn a_folder_is_made_and_given_away_below_folders_of_ours_only() {
    let Some((folder, theirs)) = folders() else { return };
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, theirs.join("up")).unwrap();
    let make = |path: &Path| crate::system::files::make_folder_of(path, 0o750, Some((STRANGER, STRANGER)));
    make(&theirs.join("up/data")).unwrap_err();
    assert!(names(&elsewhere).is_empty());
    assert!(make(&theirs.join("data")).unwrap());
    assert!(!make(&theirs.join("data")).unwrap());
    let seen = fs::metadata(theirs.join("data")).unwrap();
    assert_eq!((std::os::unix::fs::MetadataExt::uid(&seen), seen.permissions().mode() & 0o7777), (STRANGER, 0o750));
    // Something of theirs that is no folder is not one of ours.
    symlink(&elsewhere, theirs.join("link")).unwrap();
    make(&theirs.join("link")).unwrap_err();
}
