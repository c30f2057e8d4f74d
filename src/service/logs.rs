//! Where a service's output goes.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Argv;

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// To journald, the Event Log, the unified log or syslog.
    pub native: bool,
    /// To files.
    pub file: Option<LogFile>,
    /// What a line looks like.
    pub format: LogFormat,
    /// A file larger than this is rotated, bytes. None: no limit by size.
    pub max_size: Option<u64>,
    /// A file older than this is rotated, and a rotated one that old is deleted.
    pub max_age: Option<Duration>,
    /// Rotated files kept.
    pub keep: Option<u32>,
    /// Bytes of all files together.
    pub total: Option<u64>,
    /// How rotated files are kept.
    pub compress: Compress,
    /// Where rotated files go.
    pub archive: Option<Archive>,
}

/// The files output goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFile {
    /// The host's own folder for this service.
    Default,
    /// Both streams in one file.
    One(PathBuf),
    /// A file each.
    Apart {
        /// For standard output.
        stdout: PathBuf,
        /// For standard error.
        stderr: PathBuf,
    },
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// As written.
    Raw,
    /// With the time in front.
    Timestamped,
    /// A JSON object a line.
    Json,
}

/// How rotated files are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compress {
    /// As they are.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// Where rotated files go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archive {
    /// A folder.
    Folder(PathBuf),
    /// A command that is given the file's path as its last argument.
    Command(Argv),
}
