//! Reading the journals: all of them merged by time, and what is added.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{of_supervisor, older};
use crate::error::{IoContext, Result};
use crate::events::{Event, Query, Sink};
use crate::host::sys;
use crate::layout::Layout;
use crate::report::Sent;
use crate::system::folders::Changes;
use crate::system::{files, interrupt};

/// What is there now, oldest first.
pub fn all(layout: &Layout, wants: &dyn Fn(&str) -> bool, query: &Query) -> Result<Vec<Event>> {
    Reader::new(layout).news(wants, query)
}

/// How units were stopped since a time, as their journals tell: the last stop of each.
#[must_use]
pub fn stops(layout: &Layout, units: &[String], since: jiff::Timestamp) -> BTreeMap<String, Vec<Sent>> {
    let query = Query { since: since.round(jiff::Unit::Millisecond).ok(), ..Query::default() };
    let wanted = |unit: &str| units.iter().any(|wanted| wanted == unit);
    let events = all(layout, &wanted, &query).unwrap_or_default();
    events.into_iter().filter(|event| !event.stop.is_empty()).map(|event| (event.unit, event.stop)).collect()
}

/// Gives what is asked for to the sink, until that has enough.
pub fn read(layout: &Layout, wants: &dyn Fn(&str) -> bool, query: &Query, sink: &mut dyn Sink) -> Result<()> {
    let mut reader = Reader::new(layout);
    let folders = [reader.folder.join("hosts"), reader.folder.clone()];
    // Watched before the first look, so that nothing is missed between the two.
    let mut changes = if query.follow { Some(Changes::of(&folders)?) } else { None };
    let mut events = reader.news(wants, query)?;
    if let Some(last) = query.last {
        events.drain(..events.len().saturating_sub(last));
    }
    loop {
        for event in events {
            if sink.event(event).is_break() {
                return Ok(());
            }
        }
        let Some(changes) = &mut changes else { return Ok(()) };
        if sink.idle().is_break() || changes.wait()?.is_break() || interrupt::seen() {
            return Ok(());
        }
        events = reader.news(wants, query)?;
    }
}

/// How far each journal was read.
struct Reader {
    folder: PathBuf,
    supervisor: PathBuf,
    at: BTreeMap<PathBuf, Position>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Position {
    file: u64,
    offset: u64,
}

impl Reader {
    fn new(layout: &Layout) -> Self {
        Self { folder: layout.on_disk(&layout.events()), supervisor: of_supervisor(layout), at: BTreeMap::new() }
    }

    /// What was added since the last call, in order of time.
    fn news(&mut self, wants: &dyn Fn(&str) -> bool, query: &Query) -> Result<Vec<Event>> {
        let hosts = self.folder.join("hosts");
        let mut journals = vec![self.supervisor.clone()];
        for name in files::list(&hosts)? {
            let path = hosts.join(name);
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                journals.push(path);
            }
        }
        let mut found = Vec::new();
        for journal in journals {
            let at = self.at.entry(journal.clone()).or_default();
            for bytes in added(&journal, at)? {
                let events = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
                found.extend(events.filter(|event: &Event| wants(&event.unit) && query.wants(event)));
            }
        }
        found.sort_by_key(|event| event.time);
        Ok(found)
    }
}

/// The whole lines that were added to a journal since `at`: of the rotated file first, if it was rotated since.
fn added(journal: &Path, at: &mut Position) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    let current = open(journal)?;
    let rotated = current.as_ref().is_none_or(|(_, file)| *file != at.file);
    if rotated && let Some((mut file, id)) = open(&older(journal))? {
        // One that was rotated twice between two looks is gone; what of it was not seen is gone too.
        let from = if id == at.file { at.offset } else { 0 };
        let (bytes, offset) = rest(&mut file, from, journal)?;
        found.push(bytes);
        *at = Position { file: id, offset };
    }
    if let Some((mut file, id)) = current {
        if rotated {
            *at = Position { file: id, offset: 0 };
        }
        let (bytes, offset) = rest(&mut file, at.offset, journal)?;
        found.push(bytes);
        at.offset = offset;
    }
    Ok(found)
}

fn open(path: &Path) -> Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let id = sys::file_number(&file).doing(format_args!("look at `{}`", path.display()))?;
            Ok(Some((file, id)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(format_args!("read `{}`", path.display())),
    }
}

/// The whole lines from `from` on, and where they end.
fn rest(file: &mut File, from: u64, path: &Path) -> Result<(Vec<u8>, u64)> {
    let mut bytes = Vec::new();
    let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes));
    read.doing(format_args!("read `{}`", path.display()))?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(whole);
    Ok((bytes, from + whole as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_read_once_across_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("j.jsonl");
        let mut at = Position::default();
        let mut news = || -> String {
            added(&journal, &mut at).unwrap().into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
        };
        assert_eq!(news(), "");
        std::fs::write(&journal, "1\n2\nhal").unwrap();
        assert_eq!(news(), "1\n2\n");
        std::fs::write(&journal, "1\n2\nhalf\n3\n").unwrap();
        std::fs::rename(&journal, older(&journal)).unwrap();
        std::fs::write(&journal, "4\n").unwrap();
        assert_eq!(news(), "half\n3\n4\n");
        assert_eq!(news(), "");
    }
}
