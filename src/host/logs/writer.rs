//! The file that one stream of a service goes to. Nothing that goes wrong here reaches the service: it is counted, and
//! told by `status`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::rotate::{Retention, generation, keep_house};
use crate::service::Logs;

/// How soon after a failure the file is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often the file is looked at, whether somebody moved or deleted it.
const LOOK: Duration = Duration::from_millis(500);

/// A log file with its rotation.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: Option<Open>,
    max_size: Option<u64>,
    max_age: Option<Duration>,
    retention: Retention,
    /// Whom a file that lies in a folder of theirs may belong to.
    owner: Option<u32>,
    /// Bytes that could not be written.
    pub dropped: u64,
    /// The last failure, until a write succeeds.
    pub trouble: Option<String>,
    retry_at: Option<Instant>,
    told_trouble: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    opened: SystemTime,
    /// The last byte was a newline: a good place to rotate.
    at_line: bool,
    looked: Instant,
}

impl Writer {
    /// For a file; nothing is opened yet.
    #[must_use]
    pub fn new(path: PathBuf, logs: &Logs, owner: Option<u32>) -> Self {
        Self {
            path,
            file: None,
            max_size: logs.max_size.filter(|size| *size > 0),
            max_age: logs.max_age,
            retention: Retention::of(logs),
            owner,
            dropped: 0,
            trouble: None,
            retry_at: None,
            told_trouble: false,
        }
    }

    /// Whether trouble began (and which) or ended (None) since the last call; outer None: neither.
    pub fn news(&mut self) -> Option<Option<String>> {
        let changed = self.trouble.is_some() != self.told_trouble;
        self.told_trouble = self.trouble.is_some();
        changed.then(|| self.trouble.clone())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends; rotates where it is time.
    pub fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.retry_at.is_some_and(|at| Instant::now() < at) {
                self.dropped += bytes.len() as u64;
                return;
            }
            let before_rotation = self.room(bytes);
            let (now, later) = bytes.split_at(before_rotation);
            if let Err(error) = self.append(now) {
                self.file = None;
                self.retry_at = Instant::now().checked_add(RETRY);
                self.trouble = Some(format!("cannot write `{}`: {error}", self.path.display()));
                self.dropped += bytes.len() as u64;
                return;
            }
            bytes = later;
            if self.is_due() {
                self.rotate();
            }
        }
    }

    /// How much goes into the present file: up to the last line that fits, and at least one line.
    fn room(&self, bytes: &[u8]) -> usize {
        let (Some(most), size) = (self.max_size, self.file.as_ref().map_or(0, |open| open.size)) else {
            return bytes.len();
        };
        let room = usize::try_from(most.saturating_sub(size)).unwrap_or(usize::MAX);
        if bytes.len() <= room {
            return bytes.len();
        }
        let newline = |part: &[u8]| part.iter().rposition(|byte| *byte == b'\n');
        let fits = bytes.get(..room).and_then(newline);
        let first = || bytes.iter().position(|byte| *byte == b'\n');
        fits.or_else(first).map_or(bytes.len(), |end| end + 1)
    }

    fn is_due(&self) -> bool {
        let Some(open) = &self.file else { return false };
        let large = self.max_size.is_some_and(|most| open.size >= most);
        let old = self.max_age.is_some_and(|oldest| open.opened.elapsed().is_ok_and(|age| age > oldest));
        (large || old) && open.at_line
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.as_ref().is_some_and(|open| open.looked.elapsed() > LOOK) {
            self.look();
        }
        if self.file.is_none() {
            self.file = Some(self.open()?);
            if self.is_due() {
                self.rotate();
            }
        }
        let open = match &mut self.file {
            Some(open) => open,
            empty => empty.insert(open(&self.path, self.owner)?),
        };
        open.file.write_all(bytes)?;
        open.size += bytes.len() as u64;
        open.at_line = bytes.last() == Some(&b'\n');
        self.trouble = None;
        self.retry_at = None;
        Ok(())
    }

    fn open(&self) -> io::Result<Open> {
        open(&self.path, self.owner)
    }

    /// Lets go of a file that somebody moved away or deleted.
    fn look(&mut self) {
        let Some(open) = &mut self.file else { return };
        open.looked = Instant::now();
        let same = open
            .file
            .metadata()
            .ok()
            .zip(fs::symlink_metadata(&self.path).ok())
            .is_some_and(|(ours, there)| (ours.dev(), ours.ino()) == (there.dev(), there.ino()));
        if !same {
            self.file = None;
        } else if let Ok(metadata) = open.file.metadata()
            && metadata.len() < open.size
        {
            // Somebody emptied it: we append, so only our count is wrong.
            open.size = metadata.len();
        }
    }

    fn rotate(&mut self) {
        let rotated = generation(&self.path, self.retention.archive.as_deref(), Timestamp::now());
        let moved = match &self.retention.archive {
            None => fs::rename(&self.path, &rotated),
            Some(folder) => make_folder(folder).and_then(|()| fs::rename(&self.path, &rotated)),
        };
        if let Err(error) = moved {
            // Growing is better than losing: it stays, and the next write tries again.
            self.trouble = Some(format!("cannot rotate `{}`: {error}", self.path.display()));
            return;
        }
        self.file = None;
        let (current, retention) = (self.path.clone(), self.retention.clone());
        let work = move || {
            // What could not be compressed is still there as it was, and is tried no more.
            let _ = keep_house(&rotated, &current, &retention);
        };
        if retention_is_work(&self.retention) && std::thread::Builder::new().name("logs".into()).spawn(work).is_err() {
            self.trouble = Some(format!("cannot tidy up after `{}`: no thread to be had", self.path.display()));
        }
    }
}

const fn retention_is_work(retention: &Retention) -> bool {
    !matches!(
        retention,
        Retention { keep: None, max_age: None, total: None, compress: crate::service::Compress::None, .. }
    )
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Opens for appending, never through a symbolic link, and only a file that is nobody else's.
fn open(path: &Path, owner: Option<u32>) -> io::Result<Open> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let file = File::options()
        .append(true)
        .create(true)
        .mode(0o640)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)?;
    let metadata = file.metadata()?;
    let ours = nix::unistd::geteuid().as_raw();
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.nlink() > 1 {
        return Err(io::Error::other("it has a second name (a hard link), so it may be somebody else's file"));
    }
    if metadata.uid() != ours && Some(metadata.uid()) != owner && metadata.uid() != 0 {
        return Err(io::Error::other(format!("it belongs to user {}", metadata.uid())));
    }
    let opened = metadata.created().or_else(|_| metadata.modified()).unwrap_or_else(|_| SystemTime::now());
    let at_line = metadata.len() == 0 || ends_with_newline(path, metadata.len());
    Ok(Open { file, size: metadata.len(), opened, at_line, looked: Instant::now() })
}

fn ends_with_newline(path: &Path, size: u64) -> bool {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    File::open(path).and_then(|file| file.read_exact_at(&mut last, size - 1)).is_ok() && last == *b"\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::logs::rotate::generations;
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
        writer.write(b"six");
        assert_eq!(writer.retry_at, due);
        writer.retry_at = Some(Instant::now());
        writer.write(b"seven");
        assert_eq!((writer.dropped, writer.news()), (12, Some(None)));
    }
}
