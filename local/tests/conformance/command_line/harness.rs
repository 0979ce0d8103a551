//! Runs of the program, each on a port of its own.

use std::{
    fs,
    path::PathBuf,
    process::{ExitStatus, Stdio},
};

use herald_testkit::patience;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::{
    processes::send,
    programs::{function_binaries, template},
};

pub type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// A run that lasts until a signal or its drop.
pub struct Run {
    child: Child,
    output: BufReader<ChildStdout>,
    errors: NamedTempFile,
    _binaries: Option<TempDir>,
}

/// A run that has ended.
pub struct EndedRun {
    pub status: ExitStatus,
    /// The unread rest of its standard output.
    pub output: String,
    /// All of its standard error.
    pub errors: String,
}

/// A run with `--json`, and the printed addresses.
pub struct Stack {
    pub run: Run,
    pub addresses: Value,
}

impl Run {
    /// Starts with these arguments and, unless they say otherwise, a free port, the template of this
    /// repository and working functions.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_herald-local")), arguments)
    }

    /// Starts as [`Run::start`] does, with Herald's functions.
    fn start_with_functions(arguments: &[&str]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_herald-local"));
        Self::spawn(command, arguments, None)
    }

    /// Starts as [`Run::start`] does, in a shell after the command `first`.
    pub fn start_after(first: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!(r#"{first} && exec "$0" "$@""#));
        shell.arg(env!("CARGO_BIN_EXE_herald-local"));
        Self::start_as(shell, arguments)
    }

    fn start_as(command: Command, arguments: &[&str]) -> Self {
        let replaced = ["--binaries", "--functions", "--release"];
        let is_replaced = arguments.iter().any(|argument| replaced.contains(argument));
        let binaries = (!is_replaced).then(function_binaries);
        Self::spawn(command, arguments, binaries)
    }

    fn spawn(mut command: Command, arguments: &[&str], binaries: Option<TempDir>) -> Self {
        command.args(arguments);
        for (name, value) in [("--port", PathBuf::from("0")), ("--template", template())] {
            if !arguments.contains(&name) {
                command.arg(name).arg(value);
            }
        }
        if let Some(binaries) = &binaries {
            command.arg("--binaries").arg(binaries.path());
        }
        let errors = NamedTempFile::new().unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.reopen().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
            errors,
            _binaries: binaries,
        }
    }

    pub fn process(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits for the next line of standard output and returns it.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = timeout(patience(), self.output.read_line(&mut line)).await;
        let length = read.expect("a line in time").unwrap();
        assert_ne!(length, 0, "no more output: {}", self.errors());
        line
    }

    pub async fn end_with(self, signal: Signal) -> EndedRun {
        send(signal, self.process());
        self.end().await
    }

    /// Waits for the end.
    pub async fn end(mut self) -> EndedRun {
        let mut output = String::new();
        let read = timeout(patience(), self.output.read_to_string(&mut output)).await;
        read.unwrap_or_else(|_| panic!("still running: {}", self.errors()))
            .unwrap();
        EndedRun {
            status: self.child.wait().await.unwrap(),
            output,
            errors: self.errors(),
        }
    }

    /// Returns its standard error until now.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.errors.path()).unwrap()
    }
}

impl Stack {
    /// Starts a run with `--json`.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::announced(Run::start(&[&["--json"], arguments].concat())).await
    }

    /// Starts a run with `--json` and Herald's functions.
    pub async fn start_with_functions(arguments: &[&str]) -> Self {
        Self::announced(Run::start_with_functions(
            &[&["--json"], arguments].concat(),
        ))
        .await
    }

    async fn announced(mut run: Run) -> Self {
        let addresses = serde_json::from_str(&run.line().await).unwrap();
        Self { run, addresses }
    }

    pub fn address(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap()
    }

    pub fn port(&self) -> String {
        let (_, port) = self.address("endpoint").rsplit_once(':').unwrap();
        port.to_owned()
    }

    pub async fn connect(&self) -> Socket {
        connect_async(self.address("webSocket")).await.unwrap().0
    }
}
