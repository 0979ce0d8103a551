//! What a function prints: forwarded to our log line by line, and kept until somebody takes it, the last
//! lines of it.
//!
//! A function prints before it calls its Runtime API, so its lines are in the pipe when the call is
//! met, perhaps unread. Whoever takes lines reads the pipe to its end first; that is why it is not
//! left to the tasks alone that wait for lines.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anstream::adapter::strip_str;
use tokio::{
    net::unix::pipe::Receiver,
    task::{JoinSet, yield_now},
    time::timeout,
};

use crate::activity::Excerpt;

/// How many of the last lines are kept.
const KEPT_LINES: usize = 50;

/// How much of a line is kept, in bytes.
const KEPT_OF_LINE: usize = 1000;

/// The most that is read without pause: what a pipe holds.
const READ_AT_ONCE: usize = 64 * 1024;

/// How long to wait, once a process has ended, for lines it wrote before. They are in the pipe
/// already; the limit is for a grandchild that holds the pipe open.
const LAST_LINES_LIMIT: Duration = Duration::from_millis(500);

/// The standard output and standard error of one process.
#[derive(Debug)]
pub(super) struct Output {
    printed: Arc<Printed>,
    readers: JoinSet<()>,
}

#[derive(Debug)]
struct Printed {
    function: String,
    pipes: Vec<Pipe>,
    /// Those that nobody has taken.
    lines: Mutex<VecDeque<Excerpt>>,
}

#[derive(Debug)]
struct Pipe {
    receiver: Receiver,
    /// The beginning of a line. Locked while the pipe is read, so that lines keep their order.
    unfinished: Mutex<Vec<u8>>,
}

impl Output {
    /// Starts forwarding from these pipes. The lines are logged with the target
    /// `herald_local::function` and the field `function`. Errs if a file is no pipe.
    pub(super) fn forward(
        function: &str,
        pipes: impl IntoIterator<Item = OwnedFd>,
    ) -> io::Result<Self> {
        let pipes = pipes.into_iter().map(Pipe::new);
        let printed = Arc::new(Printed {
            function: function.to_owned(),
            pipes: pipes.collect::<io::Result<_>>()?,
            lines: Mutex::default(),
        });
        let readers = (0..printed.pipes.len())
            .map(|pipe| Arc::clone(&printed).forward(pipe))
            .collect();
        Ok(Self { printed, readers })
    }

    /// The last lines that were printed by now and not taken before, oldest first.
    pub(super) fn take_lines(&self) -> Vec<Excerpt> {
        for pipe in &self.printed.pipes {
            self.printed.read(pipe);
        }
        let mut lines = lock(&self.printed.lines);
        std::mem::take(&mut *lines).into()
    }

    /// Waits until all lines are read of a process that has ended.
    pub(super) async fn finish(&mut self) {
        let read_all = async { while self.readers.join_next().await.is_some() {} };
        // On a time-out the lines read so far have to do.
        let _ = timeout(LAST_LINES_LIMIT, read_all).await;
    }
}

impl Pipe {
    fn new(file: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            receiver: Receiver::from_owned_fd(file)?,
            unfinished: Mutex::default(),
        })
    }
}

/// What a pipe was left as.
#[derive(PartialEq, Eq)]
enum End {
    NotYet,
    Reached,
}

impl Printed {
    async fn forward(self: Arc<Self>, pipe: usize) {
        let pipe = &self.pipes[pipe];
        while pipe.receiver.readable().await.is_ok() && self.read(pipe) == End::NotYet {
            // A function that prints without end would keep this thread to itself.
            yield_now().await;
        }
    }

    /// Reads what is in a pipe.
    fn read(&self, pipe: &Pipe) -> End {
        let mut unfinished = lock(&pipe.unfinished);
        let mut buffer = [0; 8 * 1024];
        for _ in 0..READ_AT_ONCE / buffer.len() {
            match pipe.receiver.try_read(&mut buffer) {
                Ok(read @ 1..) => self.split(&mut unfinished, &buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return End::NotYet,
                Ok(0) | Err(_) => {
                    if !unfinished.is_empty() {
                        self.line(&std::mem::take(&mut *unfinished));
                    }
                    return End::Reached;
                }
            }
        }
        End::NotYet
    }

    /// Takes the lines out of a text whose beginning was read before.
    fn split(&self, unfinished: &mut Vec<u8>, text: &[u8]) {
        let mut lines = text.split(|byte| *byte == b'\n');
        let rest = lines.next_back().unwrap_or_default();
        for line in lines {
            unfinished.extend(line);
            self.line(unfinished);
            unfinished.clear();
        }
        unfinished.extend(rest);
    }

    fn line(&self, line: &[u8]) {
        let function = &self.function;
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        tracing::info!(target: "herald_local::function", function, "{text}");
        // Colours are for the terminal alone.
        let text = strip_str(text).to_string();
        let mut lines = lock(&self.lines);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(Excerpt::of(&text, KEPT_OF_LINE));
    }
}

/// Locks what no panic can leave half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write, pipe};

    use super::*;

    fn output() -> (Output, PipeWriter) {
        let (reader, writer) = pipe().expect("a pipe");
        let output = Output::forward("Echo", [reader.into()]).expect("it is a pipe");
        (output, writer)
    }

    fn texts(lines: Vec<Excerpt>) -> Vec<String> {
        lines.into_iter().map(String::from).collect()
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_whatever_their_encoding() {
        let (mut output, mut writer) = output();
        for number in 1..=60 {
            writeln!(writer, "line {number}").expect("room");
        }
        writeln!(writer, "{}", "x".repeat(2000)).expect("room");
        writer.write_all(b"\xff without a line end").expect("room");
        drop(writer);
        output.finish().await;
        let lines = texts(output.take_lines());
        assert_eq!(lines.len(), 50);
        assert_eq!(lines[0], "line 13");
        assert_eq!(lines[48], "x".repeat(1000));
        assert_eq!(lines[49], "\u{fffd} without a line end");
    }

    #[tokio::test]
    async fn lines_are_taken_from_the_pipe_once_and_when_they_are_whole() {
        let (mut output, mut writer) = output();
        // As if the tasks that wait for lines always came too late.
        output.readers.shutdown().await;
        for (printed, taken) in [
            ("a\nb\nc", &["a", "b"][..]),
            ("d\n", &["cd"]),
            ("", &[]),
            ("\n", &[""]),
            ("\x1b[1m\x1b[32mgreen\x1b[0m é\n", &["green é"]),
        ] {
            writer.write_all(printed.as_bytes()).expect("room");
            // The runtime has to hear of it, as it does of a call that comes afterwards.
            if !printed.is_empty() {
                output.printed.pipes[0]
                    .receiver
                    .readable()
                    .await
                    .expect("open");
            }
            assert_eq!(texts(output.take_lines()), taken, "{printed:?}");
        }
    }
}
