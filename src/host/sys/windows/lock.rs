//! One host a runtime folder: a lock that the kernel drops when its holder dies.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{IoContext, Result};

/// A held lock.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Takes the lock; None: another process holds it.
pub fn hold_lock(path: &Path) -> Result<Option<Lock>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .doing(format_args!("open `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).doing(format_args!("lock `{}`", path.display())),
    }
}
