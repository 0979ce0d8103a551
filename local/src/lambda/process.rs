//! One function process: its start in a clean environment and in the guarded group, stop and
//! resume, and its end with Lambda's sentence about the exit.

use std::{
    collections::BTreeMap,
    io,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::{Notify, watch},
};

use super::output::Output;
use crate::activity::Excerpt;

/// A running function process. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    output: Output,
    frozen: bool,
    kill: Arc<Notify>,
    stop: watch::Receiver<bool>,
}

impl Process {
    /// Starts `binary` in the process group `group`. A notification of `kill` and a change of
    /// `stop` each end it.
    pub(super) fn start(
        function: &str,
        binary: &Path,
        variables: BTreeMap<String, String>,
        group: i32,
        kill: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut child = Command::new(binary)
            .env_clear()
            .envs(variables)
            .current_dir(binary.parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(group)
            .kill_on_drop(true)
            .spawn()?;
        let pipes = [
            child.stdout.take().map(ChildStdout::into_owned_fd),
            child.stderr.take().map(ChildStderr::into_owned_fd),
        ];
        let pipes: io::Result<Vec<_>> = pipes.into_iter().flatten().collect();
        Ok(Self {
            output: Output::forward(function, pipes?)?,
            child,
            frozen: false,
            kill,
            stop,
        })
    }

    /// Returns the process id. `None` after the end of the process.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the end of the process, and kills it on request.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        tokio::select! {
            () = self.kill.notified() => {},
            _ = self.stop.changed() => {},
            status = self.child.wait() => return status,
        }
        self.kill_and_wait().await
    }

    /// Kills the process if it still runs. Returns the sentence of Lambda's `Runtime.ExitError`
    /// about its exit. All of its output is available afterwards.
    pub(super) async fn end(&mut self) -> String {
        let ended = self.kill_and_wait().await;
        self.output.finish().await;
        match ended {
            Ok(status) => sentence(status),
            Err(error) => format!("Runtime exited with an unknown status: {error}"),
        }
    }

    /// Takes the last lines that the process has printed so far, oldest first.
    pub(super) fn take_lines(&self) -> Vec<Excerpt> {
        self.output.take_lines()
    }

    /// Stops the process (SIGSTOP).
    pub(super) fn freeze(&mut self) {
        self.frozen = self.signal(Signal::STOP);
    }

    /// Resumes a frozen process.
    pub(super) fn thaw(&mut self) {
        if self.frozen {
            self.frozen = !self.signal(Signal::CONT);
        }
    }

    async fn kill_and_wait(&mut self) -> io::Result<ExitStatus> {
        // A reaped process has no id and cannot be killed.
        if self.child.id().is_some() {
            self.child.start_kill()?;
        }
        self.child.wait().await
    }

    /// Sends a signal. Does nothing after the end of the process.
    fn signal(&self, signal: Signal) -> bool {
        let id = self.id().and_then(|id| i32::try_from(id).ok());
        let Some(pid) = id.and_then(Pid::from_raw) else {
            return false;
        };
        let sent = kill_process(pid, signal);
        if let Err(error) = sent {
            tracing::warn!(%error, ?signal, "failed to signal a function process");
        }
        sent.is_ok()
    }
}

fn sentence(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(9)) => "Runtime exited with error: signal: killed".to_owned(),
        (None, signal) => format!(
            "Runtime exited with error: signal: {}",
            signal.unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    #[test]
    fn exit_status_becomes_the_lambda_sentence() {
        let check = |wait_status: i32, expected: &str| {
            assert_eq!(super::sentence(ExitStatus::from_raw(wait_status)), expected);
        };
        check(0, "Runtime exited without providing a reason");
        check(101 << 8, "Runtime exited with error: exit status 101");
        check(9, "Runtime exited with error: signal: killed");
        check(11, "Runtime exited with error: signal: 11");
    }
}
