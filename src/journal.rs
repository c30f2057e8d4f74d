//! The journal: what makes a mutating command safe against being killed.
//!
//! Before the first step the whole way back is written and synced: the goal that describes the machine as it was,
//! files with their content, units with what they were doing. Each step is then marked before it is taken. A
//! command that finds a journal brings the machine to one of its two ends first: back to what was, or, for an
//! uninstall, on to what was wanted. Both ends are goals, and reaching a goal is idempotent, so a recovery that is
//! itself killed is simply taken up by the next.
//!
//! The file is JSON lines, mode 0600 since it holds file contents: a [`Header`], then a [`Mark`] a step.

use serde::{Deserialize, Serialize};

use crate::backend::BackendKind;
use crate::error::{Error, Result};
use crate::goal::Goal;
use crate::layout::Layout;
use crate::plan::Step;
use crate::system::files::{self, Found, Log};

/// The format's number.
pub const FORMAT: u32 = 1;

/// Where recovery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the state before the command.
    Back,
    /// To the state that the command was to bring about.
    Forward,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The command, for people: `install /srv/web.toml`.
    pub command: String,
    /// The process that wrote it.
    pub pid: u32,
    /// Of which backend the units are.
    pub backend: BackendKind,
    /// Where recovery goes.
    pub direction: Direction,
    /// The state that recovery brings about.
    pub end: Goal,
    /// The steps of the command.
    pub steps: Vec<Step>,
}

/// A further line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// This step is taken next.
    Begin(usize),
    /// All steps are done: nothing is to be recovered.
    Committed,
    /// A rollback has begun.
    RollingBack,
}

/// An open journal. Dropped without [`Journal::close`], it stays for recovery.
pub struct Journal {
    layout: Layout,
    file: Log,
}

/// What a killed command left.
#[derive(Debug, Clone, PartialEq)]
pub struct Leftover {
    /// Its first line.
    pub header: Header,
    /// The last mark.
    pub last: Option<Mark>,
}

impl Journal {
    /// Writes and syncs the header. The scope's lock is held.
    pub fn open(layout: &Layout, header: &Header) -> Result<Self> {
        let path = layout.on_disk(&layout.journal());
        let mut line =
            serde_json::to_vec(header).map_err(|error| Error::failed(format!("cannot write the journal: {error}")))?;
        line.push(b'\n');
        files::replace(&path, &line, 0o600, None)?;
        crate::faults::point("journal");
        Ok(Self { layout: layout.clone(), file: Log::open(&path)? })
    }

    /// Writes a mark. It need not be synced: the way back is whole without marks, which only tell how far a command
    /// had come.
    pub fn mark(&mut self, mark: Mark) -> Result<()> {
        let mut line =
            serde_json::to_vec(&mark).map_err(|error| Error::failed(format!("cannot write the journal: {error}")))?;
        line.push(b'\n');
        self.file.append(&line)?;
        crate::faults::point("mark");
        Ok(())
    }

    /// Every step is done: removes the journal.
    pub fn close(mut self) -> Result<()> {
        self.mark(Mark::Committed)?;
        files::remove(&self.layout.on_disk(&self.layout.journal()))?;
        Ok(())
    }
}

/// The journal that a killed command left, if there is one.
pub fn leftover(layout: &Layout) -> Result<Option<Leftover>> {
    let path = layout.on_disk(&layout.journal());
    let Found::File { content, .. } = files::look(&path)? else { return Ok(None) };
    let mut lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let broken = |why: String| {
        Error::failed(format!("the journal `{}` cannot be read: {why}", path.display())).hint(
            "it was written by another version of daemonctl; run that version once, or look at the file and remove it",
        )
    };
    let header: Header = match lines.next().map(serde_json::from_slice) {
        Some(Ok(header)) => header,
        Some(Err(error)) => return Err(broken(error.to_string())),
        None => return Err(broken("it is empty".to_owned())),
    };
    if header.format > FORMAT {
        return Err(broken(format!("its format is {}, this daemonctl knows {FORMAT}", header.format)));
    }
    // A last line that was cut short by a crash is no mark yet.
    let last = lines.rev().find_map(|line| serde_json::from_slice(line).ok());
    Ok(Some(Leftover { header, last }))
}

/// Removes a journal that was dealt with.
pub fn clear(layout: &Layout) -> Result<()> {
    files::remove(&layout.on_disk(&layout.journal())).map(drop)
}
