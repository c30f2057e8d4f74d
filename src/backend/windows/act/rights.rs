//! Who was given the right to log on as a service, and for which services: what was there before is never taken away, and
//! what was given goes with the last service that needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::codes::Tried;
use super::scm::ScmApi;
use crate::error::{Error, Result};
use crate::system::files;

/// The file beside the receipts.
pub(super) struct Ledger(PathBuf);

/// Security identifiers with the services that they were given the right for.
type Rights = BTreeMap<String, BTreeSet<String>>;

impl Ledger {
    pub(super) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    fn read(&self) -> Result<Rights> {
        let Some(bytes) = files::read(&self.0)? else { return Ok(Rights::new()) };
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::failed(format!("`{}` cannot be read: {error}", self.0.display())))
    }

    fn write(&self, rights: &Rights) -> Result<()> {
        if rights.is_empty() {
            return files::remove(&self.0).map(drop);
        }
        if let Some(folder) = self.0.parent() {
            files::make_folders(folder, 0o755)?;
        }
        let bytes = serde_json::to_vec_pretty(rights)
            .map_err(|error| Error::failed(format!("cannot write `{}`: {error}", self.0.display())))?;
        files::replace(&self.0, &bytes, 0o600, None)
    }

    /// Sees that an account may log on as a service; true: it was given the right now.
    pub(super) fn let_log_on(&self, api: &dyn ScmApi, sid: &str, service: &str) -> Result<bool> {
        let mut rights = self.read()?;
        let tried = format!("give `{sid}` the right to log on as a service");
        let has = api.may_log_on(sid).tried(&tried)?;
        if has && !rights.contains_key(sid) {
            return Ok(false);
        }
        // Written down first: a right too many in the book is looked for and not found, one too few is never taken back.
        if rights.entry(sid.to_owned()).or_default().insert(service.to_lowercase()) {
            self.write(&rights)?;
        }
        if has {
            return Ok(false);
        }
        api.let_log_on(sid, true).tried(&tried)?;
        Ok(true)
    }

    /// Takes back what was given for a service, but for the account that it has now.
    pub(super) fn release_others(&self, api: &dyn ScmApi, service: &str, now: Option<&str>) -> Result<()> {
        let mut rights = self.read()?;
        let mut changed = false;
        let mut done = Vec::new();
        for (sid, services) in &mut rights {
            if Some(sid.as_str()) == now || !services.remove(&service.to_lowercase()) {
                continue;
            }
            changed = true;
            if services.is_empty() {
                api.let_log_on(sid, false).tried(format_args!("take the right to log on as a service from `{sid}`"))?;
                done.push(sid.clone());
            }
        }
        rights.retain(|sid, _| !done.contains(sid));
        if changed { self.write(&rights) } else { Ok(()) }
    }
}
