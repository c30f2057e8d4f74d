//! What resolving must know of the machine, as data.
//!
//! [`Facts`] is the only window through which `manifest::resolve` sees anything outside the manifest's text. For
//! another machine's target it is [`Foreign`], which knows nothing: `render --target windows` on Linux must never look
//! at this machine's files or users.

use std::path::{Path, PathBuf};

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing there.
    Missing,
    /// A regular file that may not be executed.
    File,
    /// A regular file that may be executed.
    Executable,
    /// A folder.
    Folder,
    /// A socket, a device, a pipe.
    Other,
    /// It could not be looked at; the text says why.
    Unreadable,
}

/// A window on a machine.
pub trait Facts {
    /// A variable of the environment that the command runs in, for `${env.NAME}`.
    fn env(&self, name: &str) -> Option<String>;
    /// What the path is, following symbolic links. None: this is not the machine the manifest is for.
    fn path(&self, path: &Path) -> Option<PathKind>;
    /// Whether everybody may read the file, or write to it. None: not known, or not this machine.
    fn open_to_all(&self, path: &Path) -> Option<bool>;
    /// The absolute path of a bare program name, by the manager's usual search path. None: not found, or not
    /// this machine.
    fn program(&self, name: &str) -> Option<PathBuf>;
    /// Whether the account exists. None: not this machine.
    fn user_exists(&self, name: &str) -> Option<bool>;
    /// Whether the group exists. None: not this machine.
    fn group_exists(&self, name: &str) -> Option<bool>;
    /// Whether this is the machine the manifest is for.
    fn local(&self) -> bool;
}

/// Another machine: nothing is known of it but the variables of the command's own environment, which
/// `${env.NAME}` means by definition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Foreign;

impl Facts for Foreign {
    fn env(&self, name: &str) -> Option<String> {
        crate::system::env(name)
    }
    fn path(&self, _: &Path) -> Option<PathKind> {
        None
    }
    fn open_to_all(&self, _: &Path) -> Option<bool> {
        None
    }
    fn program(&self, _: &str) -> Option<PathBuf> {
        None
    }
    fn user_exists(&self, _: &str) -> Option<bool> {
        None
    }
    fn group_exists(&self, _: &str) -> Option<bool> {
        None
    }
    fn local(&self) -> bool {
        false
    }
}
