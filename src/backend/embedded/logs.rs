//! `logs`: what the supervisor captured, from all generations of a service's files, merged by time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use super::merge::merge;
use crate::error::{IoContext, Result};
use crate::host::logs::format::undress;
use crate::host::logs::read;
use crate::host::sys;
use crate::layout::Layout;
use crate::logs::{LogLine, LogQuery, Sink, Stream};
use crate::service::{Archive, LogFile, LogFormat, Service};
use crate::system::folders::Changes;

/// One current file and its older generations.
struct Source {
    unit: String,
    stream: Stream,
    current: PathBuf,
    archive: Option<PathBuf>,
    dressed: bool,
}

fn sources(layout: &Layout, unit: &Service) -> Vec<Source> {
    let id = unit.id();
    let own_file = matches!(unit.logs.file, None | Some(LogFile::Default));
    // As render has it: the supervisor's own files have the time in each line, unless the manifest says otherwise.
    let dressed = unit.logs.format != LogFormat::Raw || own_file && !unit.gives(crate::key::Key::LogsFormat);
    let source = |path: &Path, stream| Source {
        unit: id.clone(),
        stream,
        current: layout.on_disk(path),
        archive: match &unit.logs.archive {
            Some(Archive::Folder(folder)) => Some(layout.on_disk(folder)),
            _ => None,
        },
        dressed,
    };
    match &unit.logs.file {
        None | Some(LogFile::Default) => vec![source(&layout.logs_of(&id).join("current.log"), Stream::Merged)],
        Some(LogFile::One(path)) => vec![source(path, Stream::Merged)],
        Some(LogFile::Apart { stdout, stderr }) => {
            vec![source(stdout, Stream::Stdout), source(stderr, Stream::Stderr)]
        }
    }
}

/// Which file is at that path; 0: none.
fn number_at(path: &Path) -> u64 {
    sys::show_log(path).and_then(|file| sys::file_number(&file)).unwrap_or(0)
}

impl Source {
    /// Every file, oldest first; the current one last, if it is there.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = read::generations(&self.current, self.archive.as_deref());
        if self.current.exists() {
            files.push(self.current.clone());
        }
        files
    }

    fn line(&self, bytes: &[u8]) -> LogLine {
        let text = sys::text_of(bytes);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let (time, stream, message) =
            if self.dressed { undress(text) } else { (None, Stream::Merged, text.to_owned()) };
        let stream = if stream == Stream::Merged { self.stream } else { stream };
        LogLine { unit: self.unit.clone(), time, stream, message }
    }

    /// The lines that the query asks for, read from the newest file backwards until there are enough.
    fn lines(&self, query: &LogQuery) -> Result<(Vec<LogLine>, Position)> {
        let mut found: Vec<Vec<LogLine>> = Vec::new();
        let mut count = 0;
        let mut position = Position::default();
        for (index, path) in self.files().into_iter().rev().enumerate() {
            // Rotated away since it was listed: the next generation has it.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let written = metadata.modified().ok();
            if index > 0 && query.since.is_some_and(|since| written.is_some_and(|at| at < SystemTime::from(since))) {
                break;
            }
            let bytes = read::whole(&path).doing(format_args!("read `{}`", path.display()))?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            if path == self.current {
                // A half line is shown when its end has come, if anybody waits for that.
                let read_to = if query.follow { whole } else { bytes.len() };
                position = Position { inode: number_at(&path), offset: read_to as u64 };
            }
            let bytes = if query.follow && path == self.current { bytes.get(..whole) } else { Some(&bytes[..]) };
            let lines = self.matching(bytes.unwrap_or_default(), query);
            count += lines.len();
            found.push(lines);
            if query.lines.is_some_and(|wanted| count >= wanted) {
                break;
            }
        }
        let mut lines: Vec<LogLine> = found.into_iter().rev().flatten().collect();
        if let Some(wanted) = query.lines {
            lines.drain(..lines.len().saturating_sub(wanted));
        }
        Ok((lines, position))
    }

    fn matching(&self, bytes: &[u8], query: &LogQuery) -> Vec<LogLine> {
        let ends = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if bytes.is_empty() {
            return Vec::new();
        }
        ends.split(|byte| *byte == b'\n').map(|line| self.line(line)).filter(|line| wanted(line, query)).collect()
    }
}

fn wanted(line: &LogLine, query: &LogQuery) -> bool {
    let after = |since: Timestamp| line.time.is_none_or(|time| time >= since);
    let before = |until: Timestamp| line.time.is_none_or(|time| time <= until);
    query.since.is_none_or(after)
        && query.until.is_none_or(before)
        && query.grep.as_ref().is_none_or(|text| line.message.contains(text.as_str()))
}

/// How far a current file was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Position {
    inode: u64,
    offset: u64,
}

pub(super) fn last_lines(layout: &Layout, unit: &Service, count: usize) -> Vec<String> {
    let query = LogQuery { lines: Some(count), ..LogQuery::default() };
    let found =
        sources(layout, unit).iter().filter_map(|source| source.lines(&query).ok()).map(|(lines, _)| lines).collect();
    let lines = merge(found);
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| line.message.clone()).collect()
}

pub(super) fn logs(layout: &Layout, units: &[Service], query: &LogQuery, sink: &mut dyn Sink) -> Result<()> {
    let sources: Vec<Source> = units.iter().flat_map(|unit| sources(layout, unit)).collect();
    let folders: Vec<PathBuf> =
        sources.iter().filter_map(|source| source.current.parent()).map(Path::to_owned).collect();
    let mut follow = if query.follow { Some(Changes::of(&folders)?) } else { None };
    let mut found: BTreeMap<String, Vec<Vec<LogLine>>> = BTreeMap::new();
    let mut positions = Vec::new();
    for source in &sources {
        let (lines, position) = source.lines(query)?;
        found.entry(source.unit.clone()).or_default().push(lines);
        positions.push(position);
    }
    let units: Vec<Vec<LogLine>> = found
        .into_values()
        .map(|streams| {
            let mut lines = merge(streams);
            if let Some(wanted) = query.lines {
                lines.drain(..lines.len().saturating_sub(wanted));
            }
            lines
        })
        .collect();
    for line in merge(units) {
        if sink.line(line).is_break() {
            return Ok(());
        }
    }
    let Some(watch) = &mut follow else { return Ok(()) };
    let mut tails: Vec<Tail> = sources.into_iter().zip(positions).map(|(source, at)| Tail::new(source, at)).collect();
    loop {
        let mut new = Vec::new();
        for tail in &mut tails {
            new.push(tail.read(query)?);
        }
        for line in merge(new) {
            if sink.line(line).is_break() {
                return Ok(());
            }
        }
        if sink.idle().is_break() || watch.wait()?.is_break() {
            return Ok(());
        }
    }
}

/// The end of a file that grows, is rotated away and comes anew.
struct Tail {
    source: Source,
    at: Position,
    file: Option<File>,
    partial: Vec<u8>,
}

impl Tail {
    fn new(source: Source, at: Position) -> Self {
        let file = sys::show_log(&source.current)
            .ok()
            .filter(|file| sys::file_number(file).is_ok_and(|number| number == at.inode));
        Self { source, at, file, partial: Vec::new() }
    }

    fn read(&mut self, query: &LogQuery) -> Result<Vec<LogLine>> {
        let mut lines = self.read_open(query)?;
        let there = sys::show_log(&self.source.current).ok();
        let number = there.as_ref().and_then(|file| sys::file_number(file).ok());
        let length = there.and_then(|file| file.metadata().ok()).map_or(0, |there| there.len());
        let moved = number.is_some_and(|number| self.file.is_none() || number != self.at.inode);
        let emptied = number == Some(self.at.inode) && length < self.at.offset;
        if moved || emptied {
            // What the old one got between our last read and its end.
            lines.extend(self.read_open(query)?);
            lines.extend(self.source.matching(&std::mem::take(&mut self.partial), query));
            self.file = sys::show_log(&self.source.current).ok();
            let inode = self.file.as_ref().and_then(|file| sys::file_number(file).ok()).unwrap_or(0);
            self.at = Position { inode, offset: 0 };
            lines.extend(self.read_open(query)?);
        }
        Ok(lines)
    }

    fn read_open(&mut self, query: &LogQuery) -> Result<Vec<LogLine>> {
        let Some(file) = &mut self.file else { return Ok(Vec::new()) };
        let read = file.seek(SeekFrom::Start(self.at.offset)).and_then(|_| file.read_to_end(&mut self.partial));
        self.at.offset += read.doing(format_args!("read `{}`", self.source.current.display()))? as u64;
        let whole = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.partial.split_off(whole);
        let lines = self.source.matching(&self.partial, query);
        self.partial = rest;
        Ok(lines)
    }
}
