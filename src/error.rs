//! The one error of the library: what happened, which exit code it means, and what to do about it.
//!
//! The message says what was tried and what came back, lower case, values in backticks; remedies stand
//! apart as hints, so that the printer can set them on lines of their own.

use std::fmt;

use crate::exit::Exit;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure with its exit code and its remedies.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    message: String,
    hints: Vec<String>,
    details: Vec<String>,
    manifest: Option<Box<crate::manifest::ManifestErrors>>,
}

impl Error {
    /// A failure that ends the command with `exit`.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new(), details: Vec::new(), manifest: None }
    }

    /// An ordinary failure: exit code 1.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Not permitted: exit code 7.
    #[must_use]
    pub fn not_permitted(message: impl Into<String>) -> Self {
        Self::new(Exit::NotPermitted, message)
    }

    /// A deadline passed: exit code 8.
    #[must_use]
    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Exit::TimedOut, message)
    }

    /// An I/O failure: what was tried, and the system's answer. Permission errors get exit code 7, a full
    /// or read-only file system gets its remedy.
    #[must_use]
    pub fn io(tried: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let exit = match error.kind() {
            ErrorKind::PermissionDenied => Exit::NotPermitted,
            ErrorKind::TimedOut => Exit::TimedOut,
            _ => Exit::Failed,
        };
        let made = Self::new(exit, format!("cannot {tried}: {error}"));
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => made
                .hint("free some space on that file system and run the command again; nothing was left half written"),
            ErrorKind::ReadOnlyFilesystem => made.hint("remount the file system writable, or use `--root DIR`"),
            _ => made,
        }
    }

    /// Adds a remedy, shown on a line of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds material that belongs to the message, such as a service's last log lines, shown indented below it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// Keeps the manifest's faults with their places, for colour and for JSON; the message has them in plain text.
    #[must_use]
    pub fn with_manifest_errors(mut self, errors: crate::manifest::ManifestErrors) -> Self {
        self.manifest = Some(Box::new(errors));
        self
    }

    /// The manifest's faults, where that is what failed.
    #[must_use]
    pub fn manifest_errors(&self) -> Option<&crate::manifest::ManifestErrors> {
        self.manifest.as_deref()
    }

    /// Puts what was being done in front of the message: `doing: message`.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Two failures as one: the first's exit code, the second's message as a detail.
    #[must_use]
    pub fn and(mut self, second: Self) -> Self {
        self.details.push(second.message);
        self.details.extend(second.details);
        for hint in second.hints {
            if !self.hints.contains(&hint) {
                self.hints.push(hint);
            }
        }
        self
    }

    /// The same failure under another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The exit code it means.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// The remedies.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// What belongs to the message.
    #[must_use]
    pub fn details(&self) -> &[String] {
        &self.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// `.doing("read `x`")` on an I/O result.
pub trait IoContext<T> {
    /// Turns an I/O error into "cannot TRIED: why".
    fn doing(self, tried: impl fmt::Display) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn doing(self, tried: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::io(tried, &error))
    }
}
