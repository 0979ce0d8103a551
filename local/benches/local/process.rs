//! A server in a process of its own, which separates its resources from those of its clients.

use std::{
    env, fs,
    io::{self, Seek},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The argument that makes this program a server.
pub(crate) const SERVE: &str = "serve";

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    child: Child,
    id: u32,
    /// The URL that clients connect to.
    pub(crate) url: String,
}

/// The first line that a server prints.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    web_socket: String,
}

impl Server {
    /// Starts this program as the server `kind`.
    pub(crate) async fn start_self(kind: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([SERVE, kind]);
        Self::start(command).await
    }

    /// Starts a server and waits for its line of JSON.
    pub(crate) async fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut log = tempfile::tempfile()?;
        // The servers of this program end when their standard input does: none outlives this
        // process.
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {command:?}"))?;
        let output = child
            .stdout
            .take()
            .context("the server has no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).await?;
        let Ok(ready) = serde_json::from_str::<Ready>(&line) else {
            child.kill().await?;
            log.rewind()?;
            bail!("{command:?} did not start: {}", io::read_to_string(log)?);
        };
        Ok(Self {
            id: child.id().context("the server has ended")?,
            url: ready.web_socket,
            child,
        })
    }

    /// Returns the resident bytes. `None` if the system does not report them.
    pub(crate) fn resident(&self) -> Option<u64> {
        resident(self.id)
    }

    /// Returns the resident bytes of the process and its children.
    pub(crate) fn resident_with_children(&self) -> Option<u64> {
        let children: Option<u64> = children(self.id)?.into_iter().map(resident).sum();
        Some(self.resident()? + children?)
    }

    /// Returns the processor time of the process. `None` if the system does not report it.
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        processor_time(self.id)
    }

    /// Returns the processor time of the children. `None` if there are none, or if the system does
    /// not report it.
    pub(crate) fn processor_time_of_children(&self) -> Option<Duration> {
        let children = Some(children(self.id)?).filter(|children| !children.is_empty());
        children?.into_iter().map(processor_time).sum()
    }

    /// Terminates the server and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            kill_process(id, Signal::TERM)?;
        }
        self.child.wait().await?;
        Ok(())
    }
}

fn processor_time(process: u32) -> Option<Duration> {
    let nanoseconds: Option<u64> = threads(process)?
        .iter()
        .map(|thread| first_number(&fs::read_to_string(thread.join("schedstat")).ok()?))
        .sum();
    nanoseconds.map(Duration::from_nanos)
}

fn resident(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(first_number(kilobytes)? * 1024)
}

fn children(process: u32) -> Option<Vec<u32>> {
    let mut children = Vec::new();
    for thread in threads(process)? {
        let started = fs::read_to_string(thread.join("children")).ok()?;
        children.extend(
            started
                .split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<u32>>(),
        );
    }
    Some(children)
}

fn threads(process: u32) -> Option<Vec<PathBuf>> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads.map(|thread| Some(thread.ok()?.path())).collect()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
