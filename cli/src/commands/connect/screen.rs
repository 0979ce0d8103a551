//! Where the lines come from and the frames go: a terminal with a line that is edited while frames arrive
//! above it, or pipes.

use std::{fs, io, path::PathBuf, thread};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use anyhow::Context;
use etcetera::BaseStrategy;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::{Config, Editor, ExternalPrinter, error::ReadlineError, history::FileHistory};
use tokio::sync::mpsc;

use super::pretty::pretty;
use crate::{
    failure::Failure,
    output::{self, line},
};

const PROMPT: &str = "> ";

/// The most lines that are remembered.
const HISTORY: usize = 1000;

const SAID: Style = Style::new().dimmed();

/// What the person at the terminal, or the script, does.
#[derive(Debug)]
pub(super) enum Typed {
    Line(String),
    /// Ctrl-C, where the terminal does not make a signal of it.
    Interrupt,
    /// There is nothing more.
    End,
}

type LineEditor = Editor<(), FileHistory>;

/// A terminal or pipes.
pub(super) struct Screen {
    typed: mpsc::Receiver<Typed>,
    terminal: Option<Terminal>,
}

struct Terminal {
    printer: Box<dyn ExternalPrinter + Send>,
    has_colours: bool,
    /// How it was before lines were edited.
    original: Termios,
    /// Whether a line is being edited, for all we know.
    is_editing: bool,
}

impl Screen {
    /// Begins to read lines. They are edited if somebody types them.
    pub(super) fn start() -> Result<Self, Failure> {
        // One at a time: a script's lines wait for the connection.
        let (sender, typed) = mpsc::channel(1);
        let terminal = match editor()? {
            Some((editor, terminal)) => {
                thread::spawn(move || edit(editor, &sender));
                Some(terminal)
            }
            None => {
                thread::spawn(move || read(&sender));
                None
            }
        };
        Ok(Self { typed, terminal })
    }

    /// Whether somebody types, and can be told things.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    /// What is typed next. Forgets nothing if it is dropped.
    pub(super) async fn next(&mut self) -> Typed {
        let typed = self.typed.recv().await.unwrap_or(Typed::End);
        if let (Some(terminal), Typed::End | Typed::Interrupt) = (&mut self.terminal, &typed) {
            terminal.is_editing = false;
        }
        typed
    }

    /// Shows a frame of the server's.
    pub(super) fn received(&mut self, frame: &str) -> Result<(), Failure> {
        match &mut self.terminal {
            Some(terminal) => {
                terminal.print(&format!("< {}", pretty(frame, terminal.width())));
                Ok(())
            }
            None => line(frame),
        }
    }

    /// Shows a frame of ours that was not typed as it is.
    pub(super) fn sent(&mut self, frame: &str) {
        if let Some(terminal) = &mut self.terminal {
            terminal.print(&format!("{SAID}> {frame}{SAID:#}"));
        }
    }

    /// Says something to the person at the terminal.
    pub(super) fn note(&mut self, note: &str) {
        match &mut self.terminal {
            Some(terminal) => terminal.print(&format!("{SAID}{note}{SAID:#}")),
            None => output::note(note),
        }
    }
}

impl Terminal {
    /// Prints lines above the one that is edited.
    fn print(&mut self, lines: &str) {
        let lines = match self.has_colours {
            true => lines.to_owned(),
            false => anstream::adapter::strip_str(lines).to_string(),
        };
        // Fails only if the terminal is gone, and we with it.
        let _ = self.printer.print(format!("{lines}\n"));
    }

    fn width(&self) -> usize {
        let size = tcgetwinsize(io::stdout());
        size.map_or(80, |size| usize::from(size.ws_col)).max(20)
    }
}

impl Drop for Terminal {
    /// Whoever edits a line cannot be stopped, and would leave the terminal as editing needs it.
    fn drop(&mut self) {
        if self.is_editing {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.original);
            eprintln!();
        }
    }
}

/// An editor and its terminal; none if there is none.
fn editor() -> Result<Option<(LineEditor, Terminal)>, Failure> {
    let Ok(original) = tcgetattr(io::stdin()) else {
        return Ok(None);
    };
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config)?;
    // Errs if one end is no terminal, or a terminal that knows no cursor.
    let Ok(printer) = editor.create_external_printer() else {
        return Ok(None);
    };
    let terminal = Terminal {
        printer: Box::new(printer),
        has_colours: AutoStream::choice(&io::stdout()) != ColorChoice::Never,
        original,
        is_editing: true,
    };
    Ok(Some((editor, terminal)))
}

/// Sends every line that is typed, until there is nobody to read them.
fn edit(mut editor: LineEditor, typed: &mpsc::Sender<Typed>) {
    let history = history();
    if let Ok(history) = &history {
        // Errs the first time, when there is none.
        let _ = editor.load_history(history);
    }
    loop {
        let next = match editor.readline(PROMPT) {
            Ok(line) => {
                if !is_secret(&line) && editor.add_history_entry(&line).unwrap_or(false) {
                    let _ = history.as_ref().map(|file| editor.append_history(file));
                }
                Typed::Line(line)
            }
            Err(ReadlineError::Interrupted) => Typed::Interrupt,
            Err(_) => Typed::End,
        };
        let is_last = !matches!(next, Typed::Line(_));
        if typed.blocking_send(next).is_err() || is_last {
            return;
        }
    }
}

/// A frame with a token is not kept.
fn is_secret(line: &str) -> bool {
    line.contains("token")
}

/// The file of the history, in the folder where the platform has such things.
fn history() -> anyhow::Result<PathBuf> {
    let folders = etcetera::choose_base_strategy()?;
    let folder = folders
        .state_dir()
        .unwrap_or_else(|| folders.data_dir())
        .join("herald");
    fs::create_dir_all(&folder).with_context(|| format!("no folder {}", folder.display()))?;
    Ok(folder.join("history"))
}

/// Sends every line of standard input.
fn read(typed: &mpsc::Sender<Typed>) {
    for line in io::stdin().lines() {
        // What is no text is the end.
        let Ok(line) = line else { break };
        if typed.blocking_send(Typed::Line(line)).is_err() {
            return;
        }
    }
    let _ = typed.blocking_send(Typed::End);
}
