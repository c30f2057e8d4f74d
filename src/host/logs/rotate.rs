//! Old generations of a log: named by the time they were closed, compressed off the loop, thrown away by count, age and
//! size.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::host::{sys, wall};
use crate::service::{Archive, Compress, Logs};

/// What is kept, and how.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Rotated files kept.
    pub keep: Option<u32>,
    /// Older ones go.
    pub max_age: Option<Duration>,
    /// Bytes of all together.
    pub total: Option<u64>,
    /// How.
    pub compress: Compress,
    /// Where to.
    pub archive: Option<PathBuf>,
    /// Whose the files may be, beside ours.
    pub owner: Option<u32>,
}

impl Retention {
    /// Of a service.
    #[must_use]
    pub fn of(logs: &Logs, owner: Option<u32>) -> Self {
        Self {
            keep: logs.keep,
            max_age: logs.max_age,
            total: logs.total,
            compress: logs.compress,
            archive: match &logs.archive {
                Some(Archive::Folder(folder)) => Some(folder.clone()),
                Some(Archive::Command(_)) | None => None,
            },
            owner,
        }
    }
}

/// The name of a generation: `current.20260102T030405.678901Z.log`, beside the current file or in the archive.
#[must_use]
pub fn generation(current: &Path, archive: Option<&Path>, at: Timestamp) -> PathBuf {
    let stem = current.file_stem().unwrap_or_else(|| OsStr::new("log")).to_string_lossy();
    let extension = current.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    let name = format!("{stem}.{}{}", at.strftime("%Y%m%dT%H%M%S.%6fZ"), extension.unwrap_or_default());
    archive.or_else(|| current.parent()).unwrap_or_else(|| Path::new(".")).join(name)
}

/// Every generation of a log, oldest first. The current file is not among them.
#[must_use]
pub fn generations(current: &Path, archive: Option<&Path>) -> Vec<PathBuf> {
    super::read::generations(current, archive)
}

/// Throws away what goes whatever compressing may save; true: there is more to do, for [`keep_house`]. For a thread of its
/// own.
pub fn throw_away_first(current: &Path, retention: &Retention) -> bool {
    // How much `total` allows shows when all is compressed.
    let total = retention.total.filter(|_| retention.compress == Compress::None);
    let _ = throw_away(current, &Retention { total, ..retention.clone() }, wall::system_now());
    let archive = retention.archive.as_deref();
    !super::read::unfinished(current, archive).is_empty()
        || retention.compress != Compress::None && !super::read::plain(current, archive).is_empty()
        || total != retention.total
}

/// Compresses rotated files, throws away what is too much, and what a killed supervisor was making. For one thread at a
/// time, its own.
pub fn keep_house(current: &Path, retention: &Retention) -> io::Result<()> {
    for unfinished in super::read::unfinished(current, retention.archive.as_deref()) {
        sys::remove_log(&unfinished)?;
    }
    let mut compressed = Ok(());
    for path in super::read::plain(current, retention.archive.as_deref()) {
        let done = match retention.compress {
            Compress::None => Ok(()),
            Compress::Gzip => compress(&path, "gz", retention.owner, |input, output| {
                let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::default());
                io::copy(input, &mut encoder)?;
                encoder.finish().map(drop)
            }),
            Compress::Zstd => compress(&path, "zst", retention.owner, |input, output| {
                let mut encoder = zstd::stream::Encoder::new(output, 3)?;
                // So that it takes no more memory than such a file needs.
                encoder.set_pledged_src_size(Some(input.metadata()?.len()))?;
                io::copy(input, &mut encoder)?;
                encoder.finish().map(drop)
            }),
        };
        compressed = compressed.and(done);
    }
    // What could not be compressed must not keep the rest from being thrown away.
    throw_away(current, retention, wall::system_now()).and(compressed)
}

fn compress(
    path: &Path,
    extension: &str,
    owner: Option<u32>,
    encode: impl FnOnce(&mut fs::File, &mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (unfinished, finished) = (with(&format!(".{extension}.tmp")), with(&format!(".{extension}")));
    if finished.exists() {
        // All that a killed supervisor had left to do.
        return remove(path);
    }
    let mut input = match sys::read_log(path, owner) {
        // Thrown away meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let _ = sys::remove_log(&unfinished);
    let mut output = sys::create_log(&unfinished)?;
    let done = encode(&mut input, &mut output).and_then(|()| output.sync_all());
    if let Err(error) = done {
        let _ = sys::remove_log(&unfinished);
        return Err(error);
    }
    sys::move_log(&unfinished, &finished)?;
    remove(path)
}

/// Removes a file that another thread may have thrown away before.
fn remove(path: &Path) -> io::Result<()> {
    match sys::remove_log(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Deletes what count, age and total size do not allow.
pub fn throw_away(current: &Path, retention: &Retention, now: SystemTime) -> io::Result<()> {
    let mut kept = 0;
    let mut bytes = fs::metadata(current).map_or(0, |current| current.len());
    for path in generations(current, retention.archive.as_deref()).into_iter().rev() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let age = metadata.modified().ok().and_then(|at| now.duration_since(at).ok()).unwrap_or_default();
        let too_many = retention.keep.is_some_and(|keep| kept >= keep);
        let too_old = retention.max_age.is_some_and(|oldest| age > oldest);
        let too_much = retention.total.is_some_and(|total| bytes + metadata.len() > total);
        if too_many || too_old || too_much {
            remove(&path)?;
        } else {
            kept += 1;
            bytes += metadata.len();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention() -> Retention {
        Retention { keep: None, max_age: None, total: None, compress: Compress::None, archive: None, owner: None }
    }

    fn fill(folder: &Path) -> PathBuf {
        let current = folder.join("current.log");
        fs::write(&current, "now").expect("write");
        for second in 1..=5 {
            let at = Timestamp::from_second(1_700_000_000 + second).expect("a time");
            fs::write(generation(&current, None, at), format!("old {second}\n")).expect("write");
        }
        fs::write(folder.join("current.log.bak"), "not ours").expect("write");
        current
    }

    #[test]
    fn the_oldest_go_first_and_foreign_files_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let current = fill(folder.path());
        let retention = Retention { keep: Some(2), ..retention() };
        throw_away(&current, &retention, SystemTime::now()).expect("throw away");
        let left = generations(&current, None);
        let texts: Vec<_> = left.iter().map(|path| fs::read_to_string(path).expect("read")).collect();
        assert_eq!(texts, ["old 4\n", "old 5\n"]);
        assert!(folder.path().join("current.log.bak").exists());
    }

    #[test]
    fn total_counts_the_current_file_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let current = fill(folder.path());
        let retention = Retention { total: Some(3 + 6 + 6), ..retention() };
        throw_away(&current, &retention, SystemTime::now()).expect("throw away");
        assert_eq!(generations(&current, None).len(), 2);
    }

    #[test]
    fn compressed_generations_are_still_found_and_what_a_killed_one_left_is_finished() {
        let folder = tempfile::tempdir().expect("a folder");
        let current = fill(folder.path());
        let old = generations(&current, None);
        let beside = |path: &Path, suffix: &str| PathBuf::from(format!("{}{suffix}", path.display()));
        keep_house(&current, &Retention { compress: Compress::Zstd, ..retention() }).expect("compress");
        // Killed while it compressed, and between the last two steps of that.
        fs::write(beside(&old[0], ".gz.tmp"), "half").expect("write");
        fs::write(&old[1], "old 2\n").expect("write");
        let at = Timestamp::from_second(1_700_000_006).expect("a time");
        fs::write(generation(&current, None, at), "old 6\n").expect("write");
        assert_eq!(generations(&current, None).len(), 6, "no generation is there twice");
        keep_house(&current, &Retention { compress: Compress::Zstd, keep: Some(5), ..retention() }).expect("compress");
        keep_house(&current, &Retention { compress: Compress::Gzip, ..retention() }).expect("nothing left to do");
        let left = generations(&current, None);
        let texts: Vec<_> = left.iter().map(|path| super::super::read::whole(path).expect("read")).collect();
        assert_eq!(texts.concat(), b"old 2\nold 3\nold 4\nold 5\nold 6\n");
        assert!(left.iter().all(|path| path.extension().is_some_and(|extension| extension == "zst")), "{left:?}");
        assert!(!beside(&old[0], ".gz.tmp").exists() && !old[1].exists());
    }
}
