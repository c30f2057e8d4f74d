//! Finding what services wrote again: every generation, in order, compressed ones too.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::host::sys;
use crate::system::files;

/// Every generation of a log, oldest first. The current file is not among them.
#[must_use]
pub fn generations(current: &Path, archive: Option<&Path>) -> Vec<PathBuf> {
    dated(current, archive).into_iter().map(|(_, path)| path).collect()
}

/// When the last generation was closed, by its name.
#[must_use]
pub fn newest(current: &Path, archive: Option<&Path>) -> Option<Timestamp> {
    let (time, _) = dated(current, archive).pop()?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.fZ", time).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Every generation that is not compressed, or no more needed as it is.
#[must_use]
pub fn plain(current: &Path, archive: Option<&Path>) -> Vec<PathBuf> {
    let mut found = named(current, archive, &[], false);
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// What somebody was compressing when they were killed.
#[must_use]
pub fn unfinished(current: &Path, archive: Option<&Path>) -> Vec<PathBuf> {
    named(current, archive, &[".gz.tmp", ".zst.tmp"], true).into_iter().map(|(_, path)| path).collect()
}

/// With their times as they stand in their names.
fn dated(current: &Path, archive: Option<&Path>) -> Vec<(String, PathBuf)> {
    let mut found = named(current, archive, &[".gz", ".zst"], false);
    found.sort_by(|one, other| other.cmp(one));
    // One that has just been compressed may be there twice: the compressed one, which sorts behind, is whole.
    found.dedup_by(|one, other| one.0 == other.0);
    found.reverse();
    found
}

/// All files of a log by their names, with one of these endings if they `must`.
fn named(current: &Path, archive: Option<&Path>, endings: &[&str], must: bool) -> Vec<(String, PathBuf)> {
    let Some(stem) = current.file_stem() else { return Vec::new() };
    let stem = format!("{}.", stem.to_string_lossy());
    let extension = current.extension().map(|extension| extension.to_string_lossy().into_owned());
    let mut found = Vec::new();
    for folder in [current.parent(), archive].into_iter().flatten() {
        let Ok(names) = files::list(folder) else { continue };
        found.extend(names.into_iter().filter_map(|entry| {
            let name = entry.to_str()?;
            let rest = name.strip_prefix(&stem)?;
            let rest = match endings.iter().find_map(|ending| rest.strip_suffix(ending)) {
                Some(rest) => rest,
                None if must => return None,
                None => rest,
            };
            let time = match &extension {
                Some(extension) => rest.strip_suffix(extension.as_str())?.strip_suffix('.')?,
                None => rest,
            };
            is_time(time).then(|| (time.to_owned(), folder.join(name)))
        }));
    }
    found
}

/// `20260102T030405.678901Z`.
fn is_time(text: &str) -> bool {
    text.len() == 23
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 => byte == b'T',
            15 => byte == b'.',
            22 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// Whether a generation is one that has been compressed.
#[must_use]
pub fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz" || extension == "zst")
}

/// A generation, decompressed while it is read.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = sys::show_log(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Ok(Box::new(flate2::read::MultiGzDecoder::new(file))),
        Some("zst") => Ok(Box::new(zstd::stream::read::Decoder::new(file)?)),
        _ => Ok(Box::new(file)),
    }
}

/// All of a generation.
pub fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
