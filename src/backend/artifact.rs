//! What a backend renders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::windows;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::service::Secret;

/// A native thing that a backend renders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Absolute, on the target machine (without `--root`); for what is no file, a place in the registry
    /// ([`windows::config::SERVICES`]).
    pub path: PathBuf,
    /// What it is.
    pub body: Body,
    /// The unit whose restart makes a change of it effective; None: none (an enable link). The name of a service with
    /// instances means all of them (a template).
    pub unit: Option<String>,
}

/// What an artifact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A regular file.
    File {
        /// Its bytes.
        content: Vec<u8>,
        /// Permission bits: 0o644, or 0o600 for what holds secrets.
        mode: u32,
        /// A change of it makes the manager load its definitions again (a unit file), as opposed to a file
        /// that only the service or host reads.
        definition: bool,
    },
    /// A 0600 file made of secrets. Rendering is pure and never sees a value: install reads each from its source when
    /// it plans, and the receipt keeps neither value nor digest.
    Secrets {
        /// The secrets by name.
        entries: BTreeMap<String, Secret>,
        /// How they are written down.
        format: SecretFormat,
    },
    /// What the service control manager of Windows keeps of a service.
    Scm(Box<windows::config::ScmConfig>),
    /// A symbolic link (an enabled unit).
    Link {
        /// What it points to.
        target: PathBuf,
    },
}

/// How secrets stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretFormat {
    /// Lines that systemd's `EnvironmentFile=` reads.
    SystemdEnvironment,
    /// The value and a newline, for a file of one secret.
    Plain,
}

impl SecretFormat {
    /// The file's content.
    pub fn content(self, values: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        let mut content = String::new();
        for (name, value) in values {
            match self {
                Self::SystemdEnvironment => {
                    if let Some(why) = crate::quote::systemd::variable_refused(name, value) {
                        return Err(Error::new(Exit::Manifest, format!("secret `{name}` {why}"))
                            .hint("hand it over as a file: `{ credential = \"NAME\" }`"));
                    }
                    content.push_str(&crate::quote::systemd::EnvFileLine { name, value }.to_string());
                    content.push('\n');
                }
                Self::Plain => {
                    content.push_str(value);
                    content.push('\n');
                }
            }
        }
        Ok(content.into_bytes())
    }
}

impl Body {
    /// Bytes of its content.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::File { content, .. } => content.len(),
            Self::Secrets { .. } | Self::Link { .. } => 0,
            Self::Scm(_) => 1024,
        }
    }

    /// Whether it has no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
