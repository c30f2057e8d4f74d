//! The state file, written when something has changed and at most so often that it costs little.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::time::{Duration, Instant, SystemTime};

use serde::{Serialize, Serializer};

use super::unit::Unit;
use super::{Engine, Id};
use crate::backend::BackendKind;
use crate::error::{IoContext, Result};
use crate::host::state::{self, VERSION};
use crate::host::sys;
use crate::receipt;
use crate::system::files;

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

    /// Sees whether the receipts of the scope are those of our units; for readers, who then need not.
    pub(super) fn survey(&mut self) {
        if !self.options.serve {
            return;
        }
        self.survey_enabled();
        let stamp = receipt::stamp(&self.options.layout);
        if stamp.is_some() && stamp == self.installed {
            return;
        }
        if stamp.is_none() && self.surveys > 0 {
            // Most likely they have just been written, and might be once more.
            self.surveys -= 1;
            self.spared_at = Some(Instant::now() + super::run::SPARED);
        }
        let known = stamp.and_then(|_| receipt::plain_services(&self.options.layout, BackendKind::Embedded));
        let same = known.is_some_and(|names| names.iter().map(String::as_str).eq(self.units.keys().map(|id| &**id)));
        let found = stamp.filter(|_| same);
        self.dirty |= found != self.installed;
        self.installed = found;
    }

    /// Sees which units are enabled; for readers, too.
    fn survey_enabled(&mut self) {
        let folder = self.options.layout.on_disk(&self.options.layout.enabled());
        let stamp = files::settled(&folder);
        if stamp == self.enabled_at {
            return;
        }
        let names = stamp.and_then(|_| files::list(&folder).ok());
        self.enabled_at = stamp.filter(|_| names.is_some());
        let names = names.unwrap_or_default();
        for (id, unit) in &mut self.units {
            unit.enabled = names.binary_search_by(|name| name.as_os_str().cmp(id.as_ref().as_ref())).is_ok();
        }
        self.dirty = true;
    }

    pub(super) fn write_state(&self) -> Result<()> {
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let file = Written {
            version: VERSION,
            daemonctl: env!("CARGO_PKG_VERSION"),
            boot: &self.boot,
            supervisor: sys::identify(pid).unwrap_or(sys::Identity { pid, started: 0 }),
            installed: self.installed,
            enabled: self.enabled_at,
            units: Units(&self.units),
        };
        let path = state::in_folder(&self.options.runtime);
        let unfinished = path.with_extension("json.new");
        let write = || {
            let mut out = BufWriter::with_capacity(16 * 1024, std::fs::File::create(&unfinished)?);
            serde_json::to_writer(&mut out, &file)?;
            out.into_inner().map_err(std::io::IntoInnerError::into_error).map(drop)
        };
        write().doing(format_args!("write `{}`", unfinished.display()))?;
        std::fs::rename(&unfinished, &path).doing(format_args!("replace `{}`", path.display()))
    }
}

/// A [`state::StateFile`] as it is written: one unit after the other, and no copy of all.
#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    daemonctl: &'a str,
    boot: &'a str,
    supervisor: sys::Identity,
    installed: Option<SystemTime>,
    enabled: Option<SystemTime>,
    units: Units<'a>,
}

struct Units<'a>(&'a BTreeMap<Id, Box<Unit>>);

impl Serialize for Units<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, unit)| (&**id, unit.record())))
    }
}
