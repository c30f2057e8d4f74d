//! What goes into a log file, whatever happens to it.

use std::fs;

use super::*;
use crate::service::{Compress, LogFormat};

fn logs(max_size: u64) -> Logs {
    Logs {
        native: false,
        file: None,
        format: LogFormat::Raw,
        max_size: Some(max_size),
        max_age: None,
        keep: None,
        total: None,
        compress: Compress::None,
        archive: None,
    }
}

fn everything(path: &Path) -> Vec<u8> {
    let mut all: Vec<u8> = generations(path, None).iter().flat_map(|path| fs::read(path).expect("read")).collect();
    all.extend(fs::read(path).unwrap_or_default());
    all
}

#[test]
fn rotation_never_cuts_a_line_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/current.log");
    let mut writer = Writer::new(path.clone(), &logs(100), None);
    let mut wanted = Vec::new();
    for number in 0..200 {
        let line = format!("line {number} {}\n", "x".repeat(number % 37));
        let (one, two) = line.split_at(line.len() / 2);
        writer.write(one.as_bytes());
        writer.write(two.as_bytes());
        wanted.extend_from_slice(line.as_bytes());
    }
    assert_eq!(everything(&path), wanted);
    let old = generations(&path, None);
    assert!(old.len() > 30, "{}", old.len());
    for path in old {
        let text = fs::read(&path).expect("read");
        assert_eq!(text.last(), Some(&b'\n'));
        assert!(text.len() <= 100 + 48, "{}", text.len());
    }
    assert_eq!((writer.dropped, writer.trouble), (0, None));
}

#[test]
fn one_large_piece_is_cut_between_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("current.log");
    let mut writer = Writer::new(path.clone(), &logs(64), None);
    let text = "a line\n".repeat(100);
    writer.write(text.as_bytes());
    assert_eq!(everything(&path), text.as_bytes());
    assert_eq!(generations(&path, None).len(), 10);
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("current.log");
    let mut writer = Writer::new(path.clone(), &logs(1000), None);
    writer.write(b"one\n");
    fs::rename(&path, folder.path().join("taken")).expect("rename");
    if let Some(open) = &mut writer.file {
        open.looked = Instant::now().checked_sub(LOOK * 2).expect("a while ago");
    }
    writer.write(b"two\n");
    assert_eq!(fs::read(&path).expect("read"), b"two\n");
}

#[cfg(unix)]
#[test]
fn a_file_that_was_moved_away_takes_its_last_line_along() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, taken) = (folder.path().join("current.log"), folder.path().join("taken"));
    let mut writer = Writer::new(path.clone(), &logs(1000), None);
    writer.write(b"one\ntw");
    fs::rename(&path, &taken).expect("rename");
    if let Some(open) = &mut writer.file {
        open.looked = Instant::now().checked_sub(LOOK * 2).expect("a while ago");
    }
    writer.write(b"");
    writer.writable().expect("writable");
    writer.write(b"o");
    writer.write(b"\nthree\nfo");
    assert_eq!(fs::read(&taken).expect("read"), b"one\ntwo\n");
    assert_eq!(fs::read(&path).expect("read"), b"three\nfo");
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_not_followed_and_what_is_lost_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("target");
    let path = folder.path().join("current.log");
    std::os::unix::fs::symlink(&target, &path).expect("a link");
    let mut writer = Writer::new(path, &logs(1000), None);
    writer.write(b"four");
    assert!(!target.exists());
    writer.write(b"five!");
    assert_eq!(writer.dropped, 9);
    let trouble = writer.trouble.clone().expect("trouble");
    assert_eq!(trouble.matches("cannot write").count(), 1, "{trouble}");
    assert_eq!((writer.news(), writer.news()), (Some(Some(trouble)), None));

    // A service that writes all the time must not put off the next try for ever.
    fs::remove_file(&writer.path).expect("remove");
    writer.retry_at = writer.retry_at.and_then(|at| at.checked_sub(RETRY / 2));
    let due = writer.retry_at;
    writer.write(b"six\n");
    assert_eq!(writer.retry_at, due);
    writer.retry_at = Some(Instant::now());
    writer.write(b"seven");
    assert_eq!((writer.dropped, writer.news()), (13, Some(None)));
}

#[test]
fn after_a_loss_the_file_goes_on_with_a_whole_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("current.log");
    let mut writer = Writer::new(path.clone(), &logs(1000), None);
    writer.write(b"one\ntw");
    writer.retry_at = Instant::now().checked_add(RETRY);
    writer.write(b"o\nthr");
    writer.retry_at = None;
    writer.write(b"ee\nfour\n");
    assert_eq!(fs::read(&path).expect("read"), b"one\ntw\nfour\n");
    assert_eq!(writer.dropped, 8);

    // One that writes no lines at all is not lost for ever.
    writer.retry_at = Instant::now().checked_add(RETRY);
    writer.write(b"x");
    writer.retry_at = None;
    writer.write(&vec![b'x'; LONGEST + 3]);
    assert!(fs::read(&path).expect("read").ends_with(b"four\nxxx"));
}

// Elsewhere a file that is open keeps its name for as long.
#[cfg(unix)]
#[test]
fn what_went_into_a_deleted_file_is_counted_as_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("current.log");
    let mut writer = Writer::new(path.clone(), &logs(1000), None);
    writer.write(b"one\n");
    fs::remove_file(&path).expect("remove");
    writer.write(b"two\n");
    writer.file.as_mut().expect("open").looked = Instant::now().checked_sub(LOOK * 2).expect("a while ago");
    writer.write(b"three\n");
    assert_eq!(fs::read(&path).expect("read"), b"three\n");
    assert_eq!((writer.dropped, writer.news(), writer.news()), (8, Some(None), None));
}

#[test]
fn generations_keep_their_order_though_the_clock_is_set_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("current.log");
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    fs::write(generation(&path, None, ahead), "line 0\n").expect("write");
    let mut writer = Writer::new(path.clone(), &logs(4), None);
    let mut wanted = b"line 0\n".to_vec();
    for number in 1..=5 {
        let line = format!("line {number}\n");
        writer.write(line.as_bytes());
        wanted.extend_from_slice(line.as_bytes());
    }
    assert_eq!(everything(&path), wanted);
    assert_eq!(generations(&path, None).len(), 6);
    let now = Timestamp::from_microsecond(5).expect("a time");
    assert_eq!(later(now, Some(now)).as_microsecond(), 6);
    assert_eq!(later(now, None), now);
}
