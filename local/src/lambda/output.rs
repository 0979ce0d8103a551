//! What a function prints: forwarded to our log line by line, the last lines kept for error messages.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    task::JoinSet,
    time::timeout,
};

/// How many of the last lines are kept.
const KEPT_LINES: usize = 20;

/// How long to wait, once a process has ended, for lines it wrote before. They are in the pipe
/// already; the limit is for a grandchild that holds the pipe open.
const LAST_LINES_LIMIT: Duration = Duration::from_millis(500);

/// The standard output and standard error of one process.
#[derive(Debug)]
pub(super) struct Output {
    last_lines: Arc<Mutex<VecDeque<String>>>,
    readers: JoinSet<()>,
}

impl Output {
    /// Starts forwarding. The lines are logged with the target `herald_local::function` and the
    /// field `function`.
    pub(super) fn forward(
        function: &str,
        streams: impl IntoIterator<Item = Box<dyn AsyncRead + Send + Unpin>>,
    ) -> Self {
        let last_lines = Arc::default();
        let readers = streams
            .into_iter()
            .map(|stream| forward_lines(function.to_owned(), stream, Arc::clone(&last_lines)))
            .collect();
        Self {
            last_lines,
            readers,
        }
    }

    /// The last lines of a process that has ended, oldest first.
    pub(super) async fn last_lines(&mut self) -> Vec<String> {
        let read_all = async { while self.readers.join_next().await.is_some() {} };
        // On a time-out the lines read so far have to do.
        let _ = timeout(LAST_LINES_LIMIT, read_all).await;
        lock(&self.last_lines).iter().cloned().collect()
    }
}

async fn forward_lines(
    function: String,
    stream: impl AsyncRead + Unpin,
    last_lines: Arc<Mutex<VecDeque<String>>>,
) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        tracing::info!(target: "herald_local::function", function, "{text}");
        keep(&mut lock(&last_lines), text);
        line.clear();
    }
}

fn keep(lines: &mut VecDeque<String>, line: String) {
    if lines.len() == KEPT_LINES {
        lines.pop_front();
    }
    lines.push_back(line);
}

fn lock(lines: &Mutex<VecDeque<String>>) -> std::sync::MutexGuard<'_, VecDeque<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Output;

    #[tokio::test]
    async fn the_last_lines_are_kept_whatever_their_encoding() {
        let mut text: Vec<u8> = (1..=30)
            .flat_map(|n| format!("line {n}\n").into_bytes())
            .collect();
        text.extend(b"\xff without a line end");
        let mut output = Output::forward("Echo", [Box::new(std::io::Cursor::new(text)) as _]);
        let lines = output.last_lines().await;
        assert_eq!(lines.len(), 20);
        assert_eq!(lines[0], "line 12");
        assert_eq!(lines[19], "\u{fffd} without a line end");
    }
}
