//! The manager of an image (`--root DIR`): there is none to ask. Files are everything, enable links among them.

use crate::backend::{Artifact, Deadline, Detail, Manager, Progress, UnitResult, UnitState};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::logs::{LogQuery, Sink};
use crate::report::{State, Status};
use crate::service::Service;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Offline;

fn refuse(verb: &str) -> Error {
    Error::new(Exit::Usage, format!("cannot {verb} a service in an image: nothing runs below `--root`"))
        .hint("leave `--root` out to act on this machine")
}

fn refuse_all(verb: &str, units: &[Service]) -> Vec<UnitResult> {
    units.iter().map(|unit| (unit.id(), Err(refuse(verb)))).collect()
}

impl Manager for Offline {
    fn verify(&mut self, _: &[Artifact]) -> Result<()> {
        Ok(())
    }

    fn observe(&mut self, units: &[Service]) -> Result<Vec<UnitState>> {
        let down = |unit: &Service| UnitState {
            unit: unit.id(),
            loaded: false,
            state: State::Stopped,
            wanted: None,
            enabled: false,
            pid: None,
            origin: None,
        };
        Ok(units.iter().map(down).collect())
    }

    fn status(&mut self, _: &[Service], _: Detail) -> Result<Vec<Status>> {
        Err(refuse("show the state of"))
    }

    fn reload(&mut self, _: &[String]) -> Result<()> {
        Ok(())
    }

    fn enable(&mut self, _: &[Service]) -> Result<()> {
        Err(refuse("enable").hint("say `start = \"boot\"` in the manifest and install it with `--root`"))
    }

    fn disable(&mut self, _: &[Service]) -> Result<()> {
        Err(refuse("disable").hint("say `start = \"manual\"` in the manifest and install it with `--root`"))
    }

    fn start(&mut self, units: &[Service], _: Deadline, _: &mut dyn Progress) -> Vec<UnitResult> {
        refuse_all("start", units)
    }

    fn stop(&mut self, units: &[Service], _: Deadline, _: &mut dyn Progress) -> Vec<UnitResult> {
        refuse_all("stop", units)
    }

    fn restart(&mut self, units: &[Service], _: Deadline, _: &mut dyn Progress) -> Vec<UnitResult> {
        refuse_all("restart", units)
    }

    fn reload_units(&mut self, units: &[Service], _: Deadline, _: &mut dyn Progress) -> Vec<UnitResult> {
        refuse_all("reload", units)
    }

    fn forget(&mut self, _: &[Service]) -> Result<()> {
        Ok(())
    }

    fn lingers(&mut self) -> Result<Option<bool>> {
        Ok(None)
    }

    fn set_linger(&mut self, _: bool) -> Result<()> {
        Ok(())
    }

    fn logs(&mut self, _: &[Service], _: &LogQuery, _: &mut dyn Sink) -> Result<()> {
        Err(refuse("show the log of"))
    }
}
