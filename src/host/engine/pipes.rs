//! The pipes that a service writes into: made once, and kept for its life.

use std::path::PathBuf;
use std::rc::Rc;

use super::pump::Pipe;
use super::setting::make_own_folders;
use super::{Echo, Engine, Id};
use crate::error::Result;
use crate::host::logs::format::Dresser;
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
        let Some(unit) = self.units.get_mut(id) else { return Ok(()) };
        make_own_folders(&unit.service, &self.options.layout)?;
        if !unit.pipes.is_empty() && !unit.stale {
            return Ok(());
        }
        for pipe in unit.pipes.drain(..) {
            pipe.drain(&self.buffer);
        }
        unit.stale = false;
        let service = &unit.service;
        let account = sys::account_of(service.user.as_deref(), service.group.as_deref())?;
        let owner = account.owner();
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
        let mut unfinished = std::mem::take(&mut unit.unfinished).into_iter();
        for (stream, suffix) in streams {
            let path = folder.join(format!("{id}.{suffix}"));
            let (file, child_end) = sys::log_pipe(&path, owner)?;
            let dresser = Dresser::new(format, &service.name, service.instance.as_deref(), &host, stream)
                .after(unfinished.next().unwrap_or_default());
            let writer = if stream == Stream::Stderr { err.clone().or_else(|| out.clone()) } else { out.clone() };
            let pipe = Pipe::new(child_end, file, Rc::clone(id), dresser, writer, echo, self.tx.clone());
            let pipe = Rc::new(pipe);
            pipe.start(&self.buffer);
            unit.pipes.push(pipe);
        }
        Ok(())
    }
}
