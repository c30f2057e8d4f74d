//! The pipes that a service writes into: made once, and kept for its life.

use std::path::PathBuf;
use std::rc::Rc;

use super::capture::Capture;
use super::pump::Pipe;
use super::setting::make_own_folders;
use super::{Echo, Engine, Id};
use crate::error::Result;
use crate::host::logs::format::Dresser;
use crate::host::logs::kept::Kept;
use crate::host::logs::writer::Writer;
use crate::host::sys;
use crate::logs::Stream;
use crate::service::{LogFile, LogFormat};

impl Engine {
    /// The pipes of a unit, made once and kept for its life.
    pub(super) fn ensure_pipes(&mut self, id: &Id) -> Result<()> {
        let folder = self.options.runtime.join("pipes");
        let (files, echo, host) = (self.options.files, self.options.echo, self.hostname.clone());
        let default = self.options.layout.logs_of(id).join("current.log");
        let Some(unit) = self.units.get(id) else { return Ok(()) };
        let owner = self.account_of(&unit.service)?.owner();
        let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
        make_own_folders(&unit.service, &self.options.layout)?;
        if !unit.pipes.is_empty() && !unit.stale {
            return Ok(());
        }
        for pipe in unit.pipes.drain(..) {
            pipe.drain();
        }
        unit.stale = false;
        let service = &unit.service;
        let format = service.logs.format;
        let file = if files && service.logs.file.is_none() && echo == Echo::None {
            Some(LogFile::Default)
        } else {
            service.logs.file.clone().filter(|_| files)
        };
        let echo = if echo == Echo::Plain && !service.logs.native && file.is_some() { Echo::None } else { echo };
        let writer = |path: PathBuf| {
            Rc::new(std::cell::RefCell::new(Writer::new(path, &service.logs, owner.map(|owner| owner.0))))
        };
        let (out, err) = match file {
            None => (None, None),
            Some(LogFile::Default) => (Some(writer(default)), None),
            Some(LogFile::One(path)) => (Some(writer(path)), None),
            Some(LogFile::Apart { stdout, stderr }) => (Some(writer(stdout)), Some(writer(stderr))),
        };
        let apart = err.is_some() || format == LogFormat::Json;
        let streams =
            if apart { vec![(Stream::Stdout, "out"), (Stream::Stderr, "err")] } else { vec![(Stream::Merged, "out")] };
        let goes_on = std::mem::take(&mut unit.goes_on);
        for (stream, suffix) in streams {
            let path = folder.join(format!("{id}.{suffix}"));
            let (end, child_end) = sys::log_pipe(&path, owner)?;
            let capture = Capture {
                dresser: Dresser::new(format, &service.name, service.instance.as_deref(), &host, stream),
                kept: Kept::new(folder.join(format!("{id}.{suffix}.kept"))),
                writer: if stream == Stream::Stderr { err.clone().or_else(|| out.clone()) } else { out.clone() },
                echo,
                name: Rc::clone(id),
                tx: self.tx.clone(),
                look_for: None,
                tail: Vec::new(),
                echo_at_line: true,
            };
            let number = number_of(id, suffix);
            unit.pipes.push(Rc::new(Pipe::new(child_end, end, number, capture, goes_on, Rc::clone(&self.pumps))));
        }
        if let Some(task) = unit.archiving.take() {
            // It goes by what the manifest said before.
            task.abort();
        }
        self.keep_pipes(id);
        self.archive(id);
        Ok(())
    }

    /// Brings to its end what a killed supervisor had read and not yet written, before anything else is read.
    pub(super) fn finish_left(&mut self) {
        let Some(pipe) = self.pumps.left.borrow().as_ref().map(|left| left.pipe) else { return };
        let is_its = |id: &&Id| ["out", "err"].into_iter().any(|suffix| number_of(id, suffix) == pipe);
        if let Some(id) = self.units.keys().find(is_its).cloned() {
            let _ = self.ensure_pipes(&id);
        }
        // Of a unit that is no more: nobody asks for it.
        *self.pumps.left.borrow_mut() = None;
    }
}

/// What tells a pipe from others: its name, hashed by FNV-1a.
pub(super) fn number_of(id: &str, suffix: &str) -> u64 {
    let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    id.bytes().chain([b'/']).chain(suffix.bytes()).fold(0xcbf2_9ce4_8422_2325, hash)
}
