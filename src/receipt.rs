//! Receipts: what install did, one JSON file a service.
//!
//! `uninstall` plays them backwards, `status` measures drift against them, and every verb finds the service
//! that it is about in them, so all of it works when the manifest has changed or gone. They are readable by all
//! (`status` needs no root) unless they keep the content of an adopted file that was not.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backend::windows::config::ScmConfig;
use crate::backend::{Artifact, BackendKind, Body, Hosting};
use crate::error::{Error, Result};
use crate::layout::{Layout, Scope};
use crate::manifest::name;
use crate::service::Service;
use crate::system::files::{self, Found};

/// The format's number; a receipt with a higher one was written by a newer daemonctl.
pub const FORMAT: u32 = 1;

/// What was installed for one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: u32,
    /// The service as it was resolved.
    pub service: Service,
    /// The manifest that owns it, absolute.
    pub manifest: PathBuf,
    /// SHA-256 of the manifest's bytes, hexadecimal.
    pub manifest_sha256: String,
    /// On which backend.
    pub backend: BackendKind,
    /// In which scope.
    pub scope: Scope,
    /// Run by the manager itself or by the host.
    pub hosting: Hosting,
    /// The copy of daemonctl that its units run, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_binary: Option<PathBuf>,
    /// Every artifact, in the order in which they were written.
    pub artifacts: Vec<Installed>,
    /// Folders that were made for it, outermost first.
    pub folders: Vec<PathBuf>,
    /// What `enable` or `disable` said since; None: as the manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Lingering was switched on for it.
    pub linger: bool,
    /// When, RFC 3339.
    pub installed_at: String,
    /// By which version of daemonctl.
    pub daemonctl: String,
}

/// One artifact on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// On the target machine (without `--root`).
    pub path: PathBuf,
    /// What was put there.
    pub what: Fingerprint,
    /// The unit it belongs to.
    pub unit: Option<String>,
    /// A change of it is a change of the manager's definitions.
    pub definition: bool,
    /// What stood there before and was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Kept>,
}

/// What identifies an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fingerprint {
    /// A file.
    File {
        /// SHA-256 of its content, hexadecimal.
        sha256: String,
        /// Permission bits.
        mode: u32,
    },
    /// A file of secrets: a digest of a short secret would betray it, so none is kept.
    Secrets {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: PathBuf,
    },
    /// What the service control manager keeps of a service.
    Scm(Box<ScmConfig>),
}

impl Fingerprint {
    /// Of an artifact's body.
    #[must_use]
    pub fn of(body: &Body) -> Self {
        match body {
            Body::File { content, mode, .. } => Self::File { sha256: sha256(content), mode: *mode },
            Body::Secrets { .. } => Self::Secrets { mode: 0o600 },
            Body::Link { target } => Self::Link { target: target.clone() },
            Body::Scm(config) => Self::Scm(config.clone()),
        }
    }

    /// Whether what was found is this.
    #[must_use]
    pub fn matches(&self, found: &Found) -> bool {
        match (self, found) {
            (Self::File { sha256: sum, mode }, Found::File { content, mode: on_disk, .. }) => {
                same_mode(*on_disk, *mode) && sha256(content) == *sum
            }
            (Self::Secrets { mode }, Found::File { mode: on_disk, .. }) => same_mode(*on_disk, *mode),
            (Self::Link { target }, Found::Link { target: on_disk }) => target == on_disk,
            _ => false,
        }
    }
}

/// The content of something that was there before.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// A file.
    File {
        /// Its bytes.
        #[serde(with = "bytes")]
        content: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it pointed.
        target: PathBuf,
    },
    /// What the service control manager kept of a service.
    Scm(Box<ScmConfig>),
}

/// Whether permission bits are the same; they mean nothing on Windows, and none are found there.
fn same_mode(one: u32, other: u32) -> bool {
    cfg!(windows) || one == other
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { content, mode, uid: user, gid: group },
                Self::File { content: content_of_other, mode: mode_of_other, uid: others_user, gid: others_group },
            ) => {
                let same_owner = (user, group) == (others_user, others_group);
                content == content_of_other && same_mode(*mode, *mode_of_other) && same_owner
            }
            (Self::Link { target }, Self::Link { target: other }) => target == other,
            (Self::Scm(config), Self::Scm(other)) => config == other,
            _ => false,
        }
    }
}

impl Kept {
    /// What was found, if it is a thing that can be put back. Folders, sockets and devices can't.
    #[must_use]
    pub fn of(found: &Found) -> Option<Self> {
        match found {
            Found::File { content, mode, uid, gid } => {
                Some(Self::File { content: content.clone(), mode: *mode, uid: *uid, gid: *gid })
            }
            Found::Link { target } => Some(Self::Link { target: target.clone() }),
            Found::Absent | Found::Folder | Found::Other => None,
        }
    }

    /// Whether a service that runs with what stood there `before` must be started again for this to count.
    #[must_use]
    pub fn restarts_from(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Scm(new), Self::Scm(old)) => new.restarts_from(old),
            _ => self != before,
        }
    }

    /// Whether what was found is just this.
    #[must_use]
    pub fn matches(&self, found: &Found) -> bool {
        Self::of(found).as_ref() == Some(self)
    }
}

impl Receipt {
    /// What it takes to know an artifact again.
    #[must_use]
    pub fn installed(artifact: &Artifact, replaced: Option<Kept>) -> Installed {
        Installed {
            path: artifact.path.clone(),
            what: Fingerprint::of(&artifact.body),
            unit: artifact.unit.clone(),
            definition: matches!(artifact.body, Body::File { definition: true, .. }),
            replaced,
        }
    }

    /// Its bytes on disk.
    ///
    /// # Panics
    /// Never: plain data with string keys always serializes.
    #[must_use]
    #[expect(clippy::expect_used, reason = "plain data with string keys always serializes")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a receipt is plain data");
        bytes.push(b'\n');
        bytes
    }

    /// Its mode: 0644, or 0600 where it keeps something that not everybody may read.
    #[must_use]
    pub fn mode(&self) -> u32 {
        let private = |kept: &Kept| matches!(kept, Kept::File { mode, .. } if mode & 0o044 != 0o044);
        if self.artifacts.iter().filter_map(|artifact| artifact.replaced.as_ref()).any(private) { 0o600 } else { 0o644 }
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let broken = |why: String| {
            Error::failed(format!("the receipt `{}` cannot be read: {why}", path.display())).hint(
                "it was written by a newer daemonctl, or damaged; use that version, or move the file away and install \
                 the manifest again with `--adopt`",
            )
        };
        // Checked once for all of its texts.
        let text = std::str::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
        let receipt: Self = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        if receipt.format > FORMAT {
            return Err(broken(format!("its format is {}, this daemonctl knows {FORMAT}", receipt.format)));
        }
        Ok(receipt)
    }
}

/// Every receipt of a scope, by service name. A scope that was never used has none.
pub fn all(layout: &Layout) -> Result<BTreeMap<String, Receipt>> {
    let folder = layout.on_disk(&layout.receipts());
    let mut files = files::list(&folder)?;
    files.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "json"));
    Ok(read(&folder, &files)?.into_iter().map(|receipt| (receipt.service.name.clone(), receipt)).collect())
}

/// What tells that no receipt was written or removed since: their folder's last change.
pub type Stamp = SystemTime;

/// That of now; None: it cannot be told, or the last change is so young that another might have the same time.
#[must_use]
pub fn stamp(layout: &Layout) -> Option<Stamp> {
    files::settled(&layout.on_disk(&layout.receipts()))
}

/// The services of a scope, if all of them are plain ones of this backend, without instances and without dependencies;
/// None: they are not, or it can't be told. One receipt is in memory at a time.
#[must_use]
pub fn plain_services(layout: &Layout, backend: BackendKind) -> Option<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Brief {
        service: BriefService,
        backend: BackendKind,
    }
    #[derive(Deserialize)]
    struct BriefService {
        name: String,
        instances: Vec<IgnoredAny>,
        after: Vec<IgnoredAny>,
        requires: Vec<IgnoredAny>,
        wants: Vec<IgnoredAny>,
    }
    let folder = layout.on_disk(&layout.receipts());
    let mut names = BTreeSet::new();
    for file in files::list(&folder).ok()? {
        let content = files::read(&folder.join(file)).ok()??;
        let Brief { service, backend: its } = serde_json::from_slice(&content).ok()?;
        let lists = [&service.instances, &service.after, &service.requires, &service.wants];
        if its != backend || lists.iter().any(|list| !list.is_empty()) {
            return None;
        }
        names.insert(service.name);
    }
    Some(names)
}

/// The receipts among these files; those that aren't there are passed over. Many are read by several threads.
fn read(folder: &Path, files: &[OsString]) -> Result<Vec<Receipt>> {
    const FEW: usize = 64;
    let some = |files: &[OsString]| -> Result<Vec<Receipt>> {
        let mut receipts = Vec::with_capacity(files.len());
        for (file, found) in files::look_at(folder, files.to_vec())? {
            if let Found::File { content, .. } = found {
                receipts.push(Receipt::parse(&content, &folder.join(file))?);
            }
        }
        Ok(receipts)
    };
    if files.len() < 2 * FEW {
        return some(files);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len() / FEW);
    let mut receipts = Vec::with_capacity(files.len());
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            files.chunks(files.len().div_ceil(threads)).map(|part| scope.spawn(move || some(part))).collect();
        for part in parts {
            receipts.extend(part.join().unwrap_or_else(|_| Err(Error::failed("receipts cannot be read")))?);
        }
        Ok(receipts)
    })
}

/// The receipts of these services and of what they come after, which is what it takes to put them in order; names that
/// have none are passed over. A question about one service of hundreds need not read hundreds.
pub fn of<'a>(layout: &Layout, names: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, Receipt>> {
    let folder = layout.on_disk(&layout.receipts());
    let mut left: BTreeSet<String> =
        names.into_iter().filter(|name| name::fault(name).is_none()).map(str::to_owned).collect();
    let mut receipts = BTreeMap::new();
    while !left.is_empty() {
        let files: Vec<OsString> = left.iter().map(|name| format!("{name}.json").into()).collect();
        let mut next = BTreeSet::new();
        for receipt in read(&folder, &files)? {
            next.extend(receipt.service.services_before().map(str::to_owned));
            receipts.insert(receipt.service.name.clone(), receipt);
        }
        next.retain(|name| !receipts.contains_key(name) && !left.contains(name));
        left = next;
    }
    Ok(receipts)
}

/// SHA-256, hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes as text where they are UTF-8, else as a list of numbers.
mod bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Shape<T, B> {
        Text(T),
        Bytes(B),
    }

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Shape::<_, &[u8]>::Text(text).serialize(serializer),
            Err(_) => Shape::<&str, _>::Bytes(bytes).serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Shape::<String, Vec<u8>>::deserialize(deserializer)? {
            Shape::Text(text) => text.into_bytes(),
            Shape::Bytes(bytes) => bytes,
        })
    }
}
