//! Credentials: secrets as files that only the service's user may read, in a folder that `CREDENTIALS_DIRECTORY` names
//! and that is there from the first hook of a start until nothing is left of the service.
//!
//! As systemd has it, which hands them over itself where it is above us.

use std::io::Read as _;
use std::path::PathBuf;

use super::unit::Unit;
use super::{Engine, Id};
use crate::error::{IoContext, Result};
use crate::host::sys;
use crate::service::{Secret, Service};
use crate::system::files;

/// No credential is larger; systemd has the same limit.
const LARGEST: u64 = 1 << 20;

fn sources(service: &Service) -> impl Iterator<Item = (&str, &str)> {
    service.security.secrets.iter().filter_map(|(name, secret)| match secret {
        Secret::Credential(source) => Some((name.as_str(), source.as_str())),
        Secret::File(_) | Secret::Env(_) | Secret::Command(_) => None,
    })
}

impl Engine {
    /// The folder of a unit that has credentials of ours.
    pub(super) fn credentials_of(&self, id: &Id, unit: &Unit) -> Option<PathBuf> {
        let ours = !self.options.pass_on && sources(&unit.service).next().is_some();
        ours.then(|| self.options.runtime.join("credentials").join(&**id))
    }

    /// Reads them anew.
    pub(super) fn make_credentials(&self, id: &Id) -> Result<()> {
        let Some(unit) = self.units.get(id) else { return Ok(()) };
        let Some(folder) = self.credentials_of(id, unit) else { return Ok(()) };
        let mut found = Vec::new();
        for (name, source) in sources(&unit.service) {
            let mut content = Vec::new();
            files::open_given(std::path::Path::new(source))
                .and_then(|file| file.take(LARGEST).read_to_end(&mut content))
                .doing(format_args!("read the credential `{name}` from `{source}`"))?;
            found.push((name.to_owned(), content));
        }
        if let Some(above) = folder.parent() {
            files::make_folders(above, 0o711)?;
        }
        let owner = self.account_of(&unit.service)?.owner();
        sys::make_private_folder(&folder, &found, owner)
            .doing(format_args!("make the credentials in `{}`", folder.display()))
    }

    pub(super) fn remove_credentials(&self, id: &Id) {
        if let Some(folder) = self.units.get(id).and_then(|unit| self.credentials_of(id, unit)) {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
