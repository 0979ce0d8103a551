//! The lock on a data file: two stacks on one file would serve each other's connections.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// A lock that lasts until its drop, or until the process ends.
#[derive(Debug)]
pub(super) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Locks the data file `data`.
    ///
    /// # Errors
    ///
    /// Returns an error if another stack holds the lock, or if the lock file cannot be created.
    pub(super) fn acquire(data: &Path) -> anyhow::Result<Self> {
        let path = lock_file(data);
        let failed = || format!("failed to lock {}", path.display());
        let file = File::create(&path).with_context(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "the data file {} is in use: end the other herald-local that uses it, or name \
                 another file",
                data.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(failed),
        }
    }
}

/// Returns a file of its own beside SQLite's: to close the data file would end SQLite's locks on it.
fn lock_file(data: &Path) -> PathBuf {
    let mut name = OsString::from(data);
    name.push("-lock");
    name.into()
}
