//! Which backend takes what is installed from now on, and why.

use super::Options;
use crate::backend::{self, BackendKind};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::layout::Scope;
use crate::system;

/// The answer to "who runs services here".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The backend.
    pub backend: BackendKind,
    /// Why, in words.
    pub why: String,
}

pub(super) fn choose(options: &Options, scope: Scope) -> Result<Choice> {
    if let Some(kind) = options.backend {
        super::backend(kind)?;
        return Ok(Choice { backend: kind, why: "`--backend` says so".to_owned() });
    }
    if let Some(root) = &options.root {
        // An image is not running: what is in it tells who will run it.
        let systemd = ["usr/lib/systemd/systemd", "lib/systemd/systemd"].map(|path| root.join(path));
        if systemd.iter().any(|path| system::exists(path)) {
            return Ok(Choice {
                backend: BackendKind::Systemd,
                why: format!("`{}` has systemd in it", root.display()),
            });
        }
        if system::exists(&root.join("sbin/launchd")) {
            return Ok(Choice {
                backend: BackendKind::Launchd,
                why: format!("`{}` has launchd in it", root.display()),
            });
        }
        return Err(Error::new(
            Exit::Usage,
            format!("cannot tell which service manager will run `{}`", root.display()),
        )
        .hint("say which: `--backend systemd`, `--backend launchd` or `--backend embedded`"));
    }
    let mut refusals = Vec::new();
    for backend in backend::ALL {
        let detection = backend.detect(scope);
        if detection.found {
            return Ok(Choice { backend: backend.kind(), why: detection.why });
        }
        refusals.push(detection.why);
    }
    Ok(Choice {
        backend: BackendKind::Embedded,
        why: format!("no service manager runs this machine: {}", refusals.join("; ")),
    })
}
