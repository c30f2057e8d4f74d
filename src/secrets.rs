//! Secrets: read from their sources when an install is planned, written to 0600 files, kept nowhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::service::Secret;
use crate::system::commands::Command;
use crate::system::{self, files};

/// A command that prints a secret (a password manager that asks its agent) has this long.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// The value of each secret. Credentials have none here: the service manager hands them over.
pub fn values(entries: &BTreeMap<String, Secret>) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (name, secret) in entries {
        if let Some(value) = value(secret).map_err(|error| error.context(format_args!("secret `{name}`")))? {
            values.insert(name.clone(), value);
        }
    }
    Ok(values)
}

fn value(secret: &Secret) -> Result<Option<String>> {
    let bytes = match secret {
        Secret::Credential(_) => return Ok(None),
        Secret::Env(name) => {
            return system::env(name).map(Some).ok_or_else(|| {
                Error::new(Exit::Manifest, format!("the variable `{name}` is not set where install runs"))
                    .hint(format!("set it for this command: `{name}=... daemonctl install ...`; under sudo, keep it with `--preserve-env={name}`"))
            });
        }
        Secret::File(path) => files::read(path)?.ok_or_else(|| {
            Error::new(Exit::Manifest, format!("the file `{}` does not exist", path.display()))
                .hint("make it, with mode 0600, before installing")
        })?,
        Secret::Command(argv) => {
            let Some(command) = Command::from_argv(argv) else {
                return Err(Error::new(Exit::Manifest, "its command is empty"));
            };
            let ended = command.limit(COMMAND_TIME).run()?;
            if !ended.success() {
                // What it printed may be part of the secret: only its complaints are told.
                return Err(Error::failed(format!("`{}` {}", argv.join(" "), ended.reason()))
                    .detail(String::from_utf8_lossy(&ended.stderr).trim_end()));
            }
            ended.stdout
        }
    };
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::new(Exit::Manifest, "its value is not UTF-8".to_owned())
            .hint("hand it over as a file: `{ credential = \"NAME\" }`")
    })?;
    // One newline is the editor's, more are the secret's.
    Ok(Some(text.strip_suffix('\n').map_or_else(|| text.clone(), str::to_owned)))
}
