//! Output: results on standard output, and notes and errors on standard error.
//!
//! `anstream` removes colours where the output is no terminal, and with `NO_COLOR`.

use std::{
    borrow::Cow,
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
    json_text(&serde_json::to_string(value)?)
}

/// Writes JSON as a line of the result.
pub(crate) fn json_text(json: &str) -> Result<(), Failure> {
    line(on_one_line(json))
}

/// Returns JSON without line breaks. A publisher may have written its message over several lines.
pub(crate) fn on_one_line(json: &str) -> Cow<'_, str> {
    // JSON has them only between tokens: a string has them escaped.
    let is_line_break = |character: char| matches!(character, '\n' | '\r');
    if json.contains(is_line_break) {
        json.replace(is_line_break, "").into()
    } else {
        json.into()
    }
}

/// Writes a result of any number of lines.
pub(crate) fn write(result: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(result).and_then(|()| stdout.flush()))
}

/// Writes a note for the user, on standard error.
pub(crate) fn note(note: impl fmt::Display) {
    // An error that cannot be written cannot be reported, either.
    let _ = writeln!(anstream::stderr().lock(), "{note}");
}

/// Writes an error, on standard error.
pub(crate) fn error(error: impl fmt::Display) {
    note(format_args!("{ERROR}herald:{ERROR:#} {error}"));
}

/// Resolves when the reader of standard output has closed it, as `head` does when it has enough. A command that
/// writes nothing for hours would not notice otherwise.
pub(crate) async fn output_closed() {
    let (closed, is_closed) = oneshot::channel();
    thread::spawn(move || {
        let stdout = io::stdout();
        // No flags are needed: `poll` always reports that the other end was closed.
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        while poll(&mut watched, None) == Err(Errno::INTR) {}
        if watched[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP)
        {
            // Fails only if the command has ended.
            let _ = closed.send(());
        }
    });
    if is_closed.await.is_err() {
        pending().await
    }
}

fn written(written: io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => anyhow::Error::new(error)
            .context("cannot write to standard output")
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::on_one_line;

    #[test]
    fn json_over_several_lines_is_the_same_on_one() {
        let written = "{\n  \"a\": [1,\r\n2],\n  \"b\\n\": \"c\\r\\n\"\n}";
        let line = on_one_line(written);
        assert_eq!(line.lines().count(), 1, "{line}");
        let read = |json| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        assert_eq!(read(&line), read(written));
    }
}
