//! The state file, written when something has changed and at most so often that it costs little.

use std::time::{Duration, Instant};

use super::Engine;
use crate::error::{IoContext, Result};
use crate::host::state::{self, StateFile, VERSION};
use crate::host::sys;

impl Engine {
    pub(super) fn flush(&mut self) -> Result<()> {
        self.dirty = false;
        if self.intents_unkept {
            // Of a unit that is no more, or that could not be written before.
            let _ = self.write_intents();
        }
        if !self.options.persist {
            return Ok(());
        }
        let began = Instant::now();
        let result = self.write_state();
        self.flushed = Instant::now();
        self.flush_cost = began.elapsed();
        if result.is_err() {
            // Tried again until there is room, and in no hurry.
            self.dirty = true;
            self.flush_cost = Duration::from_millis(100);
        }
        result
    }

    pub(super) fn write_state(&self) -> Result<()> {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let file = StateFile {
            version: VERSION,
            daemonctl: env!("CARGO_PKG_VERSION").to_owned(),
            boot: self.boot.clone(),
            supervisor: sys::identify(pid).unwrap_or(sys::Identity { pid, started: 0 }),
            units: self.units.iter().map(|(id, unit)| (id.to_string(), unit.record())).collect(),
        };
        let path = state::in_folder(&self.options.runtime);
        let unfinished = path.with_extension("json.new");
        let text = serde_json::to_vec(&file).unwrap_or_default();
        std::fs::write(&unfinished, text).doing(format_args!("write `{}`", unfinished.display()))?;
        std::fs::rename(&unfinished, &path).doing(format_args!("replace `{}`", path.display()))
    }
}
