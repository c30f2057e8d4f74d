//! Old generations of a log: named by the time they were closed, compressed off the loop, thrown away by count, age and
//! size.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

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
}

impl Retention {
    /// Of a service.
    #[must_use]
    pub fn of(logs: &Logs) -> Self {
        Self {
            keep: logs.keep,
            max_age: logs.max_age,
            total: logs.total,
            compress: logs.compress,
            archive: match &logs.archive {
                Some(Archive::Folder(folder)) => Some(folder.clone()),
                Some(Archive::Command(_)) | None => None,
            },
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

/// Compresses a rotated file, and throws away what is too much. For a thread of its own.
pub fn keep_house(rotated: &Path, current: &Path, retention: &Retention) -> io::Result<()> {
    let compressed = match retention.compress {
        Compress::None => Ok(()),
        Compress::Gzip => compress(rotated, "gz", |input, output| {
            let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::default());
            io::copy(input, &mut encoder)?;
            encoder.finish().map(drop)
        }),
        Compress::Zstd => compress(rotated, "zst", |input, output| zstd::stream::copy_encode(input, output, 3)),
    };
    // What could not be compressed must not keep the rest from being thrown away.
    throw_away(current, retention, SystemTime::now()).and(compressed)
}

fn compress(
    path: &Path,
    extension: &str,
    encode: impl FnOnce(&mut fs::File, &mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (unfinished, finished) = (with(&format!(".{extension}.tmp")), with(&format!(".{extension}")));
    let mut input = fs::File::open(path)?;
    let _ = fs::remove_file(&unfinished);
    let mut output = crate::host::sys::create_log(&unfinished)?;
    let done = encode(&mut input, &mut output).and_then(|()| output.sync_all());
    if let Err(error) = done {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, &finished)?;
    fs::remove_file(path)
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
            fs::remove_file(&path)?;
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
        Retention { keep: None, max_age: None, total: None, compress: Compress::None, archive: None }
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
    fn compressed_generations_are_still_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let current = fill(folder.path());
        for (compress, path) in [Compress::Gzip, Compress::Zstd].into_iter().zip(generations(&current, None)) {
            keep_house(&path, &current, &Retention { compress, ..retention() }).expect("compress");
        }
        let left = generations(&current, None);
        assert_eq!(left.len(), 5);
        let texts: Vec<_> = left.iter().map(|path| super::super::read::whole(path).expect("read")).collect();
        assert_eq!(texts[0], b"old 1\n");
        assert_eq!(texts[1], b"old 2\n");
    }
}
