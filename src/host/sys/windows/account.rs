//! Accounts. The service manager has started the host as who the service is to be.

use std::path::PathBuf;

use crate::error::Result;

/// An account, as far as a child process needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Home folder.
    pub home: PathBuf,
    /// Command interpreter.
    pub shell: PathBuf,
}

impl Account {
    /// Files belong to who makes them here.
    #[must_use]
    pub const fn owner(&self) -> Option<(u32, u32)> {
        None
    }
}

/// The account that this process runs as.
#[must_use]
pub fn own_account() -> Account {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    Account {
        name: std::env::var("USERNAME").unwrap_or_default(),
        home: variable("USERPROFILE").unwrap_or_else(super::neutral_folder),
        shell: variable("ComSpec").unwrap_or_else(|| PathBuf::from("cmd.exe")),
    }
}

/// The account a service asks for: who the host runs as is the manager's doing.
pub fn account_of(_: Option<&str>, _: Option<&str>) -> Result<Account> {
    Ok(own_account())
}
