//! The guard that ends all function processes with `herald-local`, even after a SIGKILL.
//!
//! A shell reads a pipe that only `herald-local` holds open for writing, and leads the process
//! group of all function processes. When `herald-local` ends, even by SIGKILL, the kernel closes
//! the pipe, the read ends, and the shell kills its whole group, including stopped processes and
//! grandchildren. Because `herald-local` is not in the group, Ctrl-C in the terminal reaches it
//! alone, and it ends the functions in order. A parent-death signal would do the same on Linux
//! only, and needs code after `fork`.

use std::{io, process::Stdio};

use tokio::{
    process::{Child, Command},
    sync::Mutex,
};

/// A script that waits for the end of its standard input and then kills its process group.
const WATCH: &str = "read line; kill -KILL 0";

/// The leader of the process group of all function processes.
#[derive(Debug)]
pub(super) struct Guard(Mutex<Child>);

impl Guard {
    /// Starts the guard's process, `/bin/sh`.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self(Mutex::new(watcher()?)))
    }

    /// Returns the process group for a function process. If the guard's process was killed, starts
    /// another, so no function ever runs unguarded.
    pub(super) async fn group(&self) -> io::Result<i32> {
        let mut child = self.0.lock().await;
        if child.try_wait()?.is_some() {
            *child = watcher()?;
        }
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        id.ok_or_else(|| io::Error::other("the guard process has ended"))
    }

    /// Kills the rest of the group and waits for the guard's own end.
    pub(super) async fn end(&self) {
        let mut child = self.0.lock().await;
        drop(child.stdin.take());
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "failed to wait for the guard of the function processes");
        }
    }
}

fn watcher() -> io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", WATCH])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}
