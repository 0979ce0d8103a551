//! No function process outlives us, however we die.
//!
//! A shell blocks reading a pipe that only we hold open for writing, and leads the process group
//! that every function process joins. When we end, even by SIGKILL, the kernel closes the pipe, the
//! read ends, and the shell kills its whole group, stopped processes and grandchildren included.
//! Because the group is not ours, Ctrl-C in the terminal reaches us alone, and we end the functions
//! in order. A parent-death signal would do the same on Linux only, and needs code after `fork`.

use std::{io, process::Stdio};

use tokio::{
    process::{Child, Command},
    sync::Mutex,
};

/// Waits for the end of its standard input, then kills the process group it leads.
const WATCH: &str = "read line; kill -KILL 0";

/// The keeper of the process group all function processes are in.
#[derive(Debug)]
pub(super) struct Guard(Mutex<Child>);

impl Guard {
    /// Starts the guard's process. Errs if `/bin/sh` cannot be run.
    pub(super) fn start() -> io::Result<Self> {
        Ok(Self(Mutex::new(watcher()?)))
    }

    /// The process group to start a function process in. If the guard's process has been killed,
    /// another takes over, so that no function ever runs unguarded.
    pub(super) async fn group(&self) -> io::Result<i32> {
        let mut child = self.0.lock().await;
        if child.try_wait()?.is_some() {
            *child = watcher()?;
        }
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        id.ok_or_else(|| io::Error::other("the guard process has ended"))
    }

    /// Kills what is left of the group and waits for the guard's own end.
    pub(super) async fn end(&self) {
        let mut child = self.0.lock().await;
        drop(child.stdin.take());
        if let Err(error) = child.wait().await {
            tracing::warn!(%error, "could not wait for the guard of the function processes");
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
