//! Accounts: the ids and the home that a service gets.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User};

use crate::error::{Error, Result};
use crate::system::machine;

/// An account, as far as a child process needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; None: keep the supervisor's.
    pub groups: Option<Vec<u32>>,
    /// Name.
    pub name: String,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

impl Account {
    /// Whose its files are, where they are not ours.
    #[must_use]
    pub const fn owner(&self) -> Option<(u32, u32)> {
        if self.groups.is_some() { Some((self.uid, self.gid)) } else { None }
    }
}

/// The account that this process runs as.
#[must_use]
pub fn own_account() -> Account {
    let uid = Uid::effective();
    let user = User::from_uid(uid).ok().flatten();
    Account {
        uid: uid.as_raw(),
        gid: Gid::effective().as_raw(),
        groups: None,
        name: user.as_ref().map_or_else(|| uid.to_string(), |user| user.name.clone()),
        home: std::env::var_os("HOME")
            .map(PathBuf::from)
            .or_else(|| user.as_ref().map(|user| user.dir.clone()))
            .unwrap_or_else(|| PathBuf::from("/")),
        shell: user.map_or_else(|| PathBuf::from("/bin/sh"), |user| user.shell),
    }
}

/// The account a service asks for.
pub fn account_of(user: Option<&str>, group: Option<&str>) -> Result<Account> {
    let own = own_account();
    if user.is_none() && group.is_none() {
        return Ok(own);
    }
    let mut account = match user {
        None => own.clone(),
        Some(name) => named(name)?,
    };
    if let Some(name) = group {
        account.gid = machine::group_of(name)?.gid.as_raw();
    }
    if account.uid == own.uid && account.gid == own.gid {
        account.groups = None;
    } else if own.uid != 0 {
        return Err(Error::not_permitted(format!(
            "cannot run as `{}`: the supervisor runs as `{}`, and only root can change to another account",
            account.name, own.name
        ))
        .hint("use system scope (`--system`, as root), or leave out `user` and `group`"));
    }
    Ok(account)
}

fn named(name: &str) -> Result<Account> {
    let user = machine::user_of(name)?;
    Ok(Account {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        groups: Some(supplementary(&user)),
        name: user.name,
        home: user.dir,
        shell: user.shell,
    })
}

#[cfg(not(target_vendor = "apple"))]
fn supplementary(user: &User) -> Vec<u32> {
    let Ok(name) = CString::new(user.name.as_str()) else { return vec![user.gid.as_raw()] };
    nix::unistd::getgrouplist(&name, user.gid)
        .map_or_else(|_| vec![user.gid.as_raw()], |groups| groups.into_iter().map(Gid::as_raw).collect())
}

#[cfg(target_vendor = "apple")]
fn supplementary(user: &User) -> Vec<u32> {
    let _ = CString::new(user.name.as_str());
    vec![user.gid.as_raw()]
}
