//! The output of a function: forwarded to the log line by line; the last lines are kept until a
//! record holds them.
//!
//! A function prints before it calls its Runtime API, so its lines are in the pipe, perhaps unread,
//! when the call arrives. So [`Output::take_lines`] reads the pipe to its end first and does not
//! rely on the tasks that wait for lines.

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

use super::printed_line::PrintedLine;
use crate::activity::Excerpt;

/// The number of last lines to keep.
const KEPT_LINES: usize = 50;

/// The bytes of a line to keep.
const KEPT_OF_LINE: usize = 1000;

/// The most bytes to read without a pause: the capacity of a pipe.
const READ_AT_ONCE: usize = 64 * 1024;

/// The wait for the last lines of an ended process. They are in the pipe already; the limit is for
/// a grandchild that keeps the pipe open.
const LAST_LINES_LIMIT: Duration = Duration::from_millis(500);

/// The standard output and standard error of one process.
#[derive(Debug)]
pub(super) struct Output {
    printed: Arc<OutputBuffer>,
    readers: JoinSet<()>,
}

#[derive(Debug)]
struct OutputBuffer {
    function: String,
    pipes: Vec<Pipe>,
    /// The lines that are in no record yet.
    lines: Mutex<VecDeque<Excerpt>>,
}

#[derive(Debug)]
struct Pipe {
    receiver: Receiver,
    /// The start of an unfinished line. Locked during a read, so that lines keep their order.
    unfinished: Mutex<Vec<u8>>,
}

impl Output {
    /// Starts forwarding the lines of `function` from these pipes. Fails if a file is not a pipe.
    pub(super) fn forward(
        function: &str,
        pipes: impl IntoIterator<Item = OwnedFd>,
    ) -> io::Result<Self> {
        let pipes = pipes.into_iter().map(Pipe::new);
        let printed = Arc::new(OutputBuffer {
            function: function.to_owned(),
            pipes: pipes.collect::<io::Result<_>>()?,
            lines: Mutex::default(),
        });
        let readers = (0..printed.pipes.len())
            .map(|pipe| Arc::clone(&printed).forward(pipe))
            .collect();
        Ok(Self { printed, readers })
    }

    /// Removes and returns the last lines printed so far, oldest first.
    pub(super) fn take_lines(&self) -> Vec<Excerpt> {
        for pipe in &self.printed.pipes {
            self.printed.read(pipe);
        }
        let mut lines = lock(&self.printed.lines);
        std::mem::take(&mut *lines).into()
    }

    /// Waits until all lines of an ended process are read.
    pub(super) async fn finish(&mut self) {
        let read_all = async { while self.readers.join_next().await.is_some() {} };
        // After a timeout, the lines read so far must suffice.
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

/// The state of a pipe after a read.
#[derive(PartialEq, Eq)]
enum PipeState {
    Open,
    Ended,
}

impl OutputBuffer {
    async fn forward(self: Arc<Self>, pipe: usize) {
        let pipe = &self.pipes[pipe];
        while pipe.receiver.readable().await.is_ok() && self.read(pipe) == PipeState::Open {
            // A function that prints without end would block this thread.
            yield_now().await;
        }
    }

    /// Reads the pending bytes of a pipe.
    fn read(&self, pipe: &Pipe) -> PipeState {
        let mut unfinished = lock(&pipe.unfinished);
        let mut buffer = [0; 8 * 1024];
        for _ in 0..READ_AT_ONCE / buffer.len() {
            match pipe.receiver.try_read(&mut buffer) {
                Ok(read @ 1..) => self.split(&mut unfinished, &buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return PipeState::Open,
                Ok(0) | Err(_) => {
                    if !unfinished.is_empty() {
                        self.line(&std::mem::take(&mut *unfinished));
                    }
                    return PipeState::Ended;
                }
            }
        }
        PipeState::Open
    }

    /// Splits a text, which continues `unfinished`, into lines.
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
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        let text = strip_str(text).to_string();
        PrintedLine::parse(&text).log(&self.function);
        let mut lines = lock(&self.lines);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(Excerpt::of(&text, KEPT_OF_LINE));
    }
}

/// Locks a mutex and ignores poisoning: no panic can leave the data inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write, pipe};

    use super::*;

    fn output() -> (Output, PipeWriter) {
        let (reader, writer) = pipe().expect("a pipe");
        let output = Output::forward("Echo", [reader.into()]).expect("a pipe");
        (output, writer)
    }

    fn texts(lines: Vec<Excerpt>) -> Vec<String> {
        lines.into_iter().map(String::from).collect()
    }

    #[tokio::test]
    async fn last_lines_are_kept_shortened_and_with_invalid_utf8_replaced() {
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
    async fn take_lines_reads_each_finished_line_once() {
        let (mut output, mut writer) = output();
        // Simulates reader tasks that are always too late.
        output.readers.shutdown().await;
        for (printed, taken) in [
            ("a\nb\nc", &["a", "b"][..]),
            ("d\n", &["cd"]),
            ("", &[]),
            ("\n", &[""]),
            ("\x1b[1m\x1b[32mgreen\x1b[0m é\n", &["green é"]),
        ] {
            writer.write_all(printed.as_bytes()).expect("room");
            // The runtime must see the readiness first, as it sees the call that follows.
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
