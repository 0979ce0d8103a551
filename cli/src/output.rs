//! What is said, and where: results on standard output, everything for a person on standard error.
//!
//! Colours are only for terminals that want them: `anstream` takes them out for everything else, and
//! with `NO_COLOR`.

use std::{
    fmt,
    future::pending,
    io::{self, ErrorKind, Write},
    thread,
};

use anstyle::{AnsiColor, Style};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::failure::Failure;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Writes a line of the result.
pub(crate) fn line(line: impl fmt::Display) -> Result<(), Failure> {
    written(writeln!(anstream::stdout().lock(), "{line}"))
}

/// Writes a line of the result as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value)?)
}

/// Writes the result as it is.
pub(crate) fn write(result: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(result).and_then(|()| stdout.flush()))
}

/// Says something to the person at the terminal.
pub(crate) fn note(note: impl fmt::Display) {
    // If nobody reads standard error, there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{note}");
}

/// Says what went wrong.
pub(crate) fn error(error: impl fmt::Display) {
    note(format_args!("{ERROR}herald:{ERROR:#} {error}"));
}

/// Resolves when whoever read standard output has gone, as `head` does when it has enough. Without it
/// a command that has nothing to write for hours would not notice.
pub(crate) async fn reader_gone() {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let stdout = io::stdout();
        // Asks for nothing: that the other end was closed is told unasked.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        while poll(&mut watched, None) == Err(Errno::INTR) {}
        if watched[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP)
        {
            // Fails only if nobody waits any more.
            let _ = tell.send(());
        }
    });
    if told.await.is_err() {
        pending().await
    }
}

fn written(written: io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => anyhow::Error::new(error)
            .context("standard output cannot be written to")
            .into(),
    })
}
