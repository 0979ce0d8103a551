//! A stack for each test, and `herald` as a child process.

use std::{io, net::SocketAddr, process::Stdio};

use aws_config::SdkConfig;
use aws_sdk_eventbridge::{Client as EventBridge, types::PutEventsRequestEntry};
use aws_sdk_secretsmanager::Client as SecretsManager;
use axum::Router;
use herald_local::{
    Authentication, Config, Functions, RunningStack, faults::Faults, gateway::Limits,
};
use herald_testkit::{sdk_config, template};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::SemaphorePermit,
    task::JoinHandle,
};

pub use herald_testkit::{in_time, until};

/// A fake server on a port of its own, which ends when this is dropped.
pub struct FakeServer {
    /// The URL, without a path.
    pub url: String,
    task: JoinHandle<io::Result<()>>,
}

impl FakeServer {
    /// Starts the server with the routes for its URL.
    pub async fn start(router: impl FnOnce(&str) -> Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = router(&url);
        let task = tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, task }
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running stack.
pub struct TestStack {
    pub running: RunningStack,
    _turn: SemaphorePermit<'static>,
}

impl TestStack {
    /// Starts the repository's own template.
    pub async fn start(authentication: Authentication) -> Self {
        Self::start_with(authentication, &[]).await
    }

    /// Starts the template with these parameters.
    pub async fn start_with(authentication: Authentication, parameters: &[(&str, &str)]) -> Self {
        Self::start_with_faults(authentication, parameters, Faults::default()).await
    }

    /// Starts the template with these parameters and injected faults.
    pub async fn start_with_faults(
        authentication: Authentication,
        parameters: &[(&str, &str)],
        faults: Faults,
    ) -> Self {
        Self::run(Config {
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            authentication,
            faults,
            ..config()
        })
        .await
    }

    /// Starts the template with these limits of the gateway, without authentication.
    pub async fn start_with_limits(limits: Limits) -> Self {
        Self::run(Config { limits, ..config() }).await
    }

    async fn run(config: Config) -> Self {
        let turn = herald_testkit::turn().await;
        let running = herald_testkit::start(config).await.expect("a stack");
        Self {
            running,
            _turn: turn,
        }
    }

    /// Returns the address that serves everything.
    pub fn address(&self) -> SocketAddr {
        let endpoint = &self.running.addresses().endpoint;
        let address = endpoint.strip_prefix("http://").expect("an address");
        address.parse().expect("an address")
    }

    /// Returns `herald` with these arguments, for this stack.
    pub fn herald(&self, arguments: &[&str]) -> Herald {
        herald(arguments).variable("HERALD_ENDPOINT", &self.running.addresses().endpoint)
    }

    /// Runs `herald`, asserts that it succeeds, and returns its standard output.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let ended = self.herald(arguments).run("").await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    /// Closes every connection of a user, without reconnecting.
    pub async fn disconnect_user(&self, user: &str, reason: &str) {
        let detail = json!({"userId": user, "reason": reason, "reconnect": false});
        let entry = PutEventsRequestEntry::builder()
            .source("test")
            .detail_type("Disconnect User")
            .detail(detail.to_string());
        let events = EventBridge::new(&self.aws());
        let put = events.put_events().entries(entry.build()).send().await;
        assert_eq!(put.expect("an accepted event").failed_entry_count(), 0);
    }

    /// Returns the secret of the stack's tokens, and their required audience.
    pub async fn token_secret(&self) -> (String, String) {
        let stack = self.running.stack();
        let arn = &stack.outputs["TokenSecretArn"];
        let secrets = SecretsManager::new(&self.aws());
        let value = secrets.get_secret_value().secret_id(arn).send().await;
        let secret = value.expect("a secret").secret_string;
        let audience = stack.parameters["TokenAudience"].clone();
        (secret.expect("a text"), audience)
    }

    /// Returns the text of the secret with the API keys.
    pub async fn publish_keys(&self) -> String {
        let arn = &self.running.stack().outputs["PublishKeysArn"];
        let secrets = SecretsManager::new(&self.aws());
        let value = secrets.get_secret_value().secret_id(arn).send().await;
        value.expect("a secret").secret_string.expect("a text")
    }

    /// Returns the SDK configuration for the stack's services.
    pub fn aws(&self) -> SdkConfig {
        sdk_config(&self.running.addresses().endpoint)
    }

    /// Stops the stack and all its processes.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }
}

fn config() -> Config {
    Config::new(template(), Functions::Build { release: false })
}

/// `herald` before its start, in a clean environment.
pub struct Herald {
    pub command: Command,
    home: TempDir,
}

/// `herald` after its end.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running `herald`.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Lines<BufReader<ChildStderr>>,
    _home: TempDir,
}

/// Returns `herald` with these arguments, without a stack.
pub fn herald(arguments: &[&str]) -> Herald {
    let home = TempDir::new().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_herald"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Herald { command, home }
}

impl Herald {
    /// Sets an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs `herald` with `input` on standard input, until it ends.
    pub async fn run(self, input: &str) -> Ended {
        let mut running = self.start();
        let mut stdin = running.stdin.take().expect("piped");
        // Fails if `herald` has ended without reading its input.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        running.ended().await
    }

    /// Starts `herald`.
    pub fn start(mut self) -> Running {
        let mut child = self.command.spawn().expect("the binary");
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Running {
            stdin: child.stdin.take(),
            stdout: Some(BufReader::new(stdout).lines()),
            stderr: BufReader::new(stderr).lines(),
            child,
            _home: self.home,
        }
    }
}

impl Running {
    /// Waits for a line with these words on standard error, and returns it.
    pub async fn says(&mut self, words: &str) -> String {
        in_time(words, async {
            while let Some(line) = self.stderr.next_line().await.expect("text") {
                if line.contains(words) {
                    return line;
                }
            }
            panic!("herald ended without {words:?} on standard error");
        })
        .await
    }

    /// Returns the next line on standard output, as JSON.
    pub async fn prints(&mut self) -> Value {
        serde_json::from_str(&self.prints_line().await).expect("JSON")
    }

    /// Returns the next line on standard output.
    pub async fn prints_line(&mut self) -> String {
        let stdout = self.stdout.as_mut().expect("still read");
        let line = in_time("a line was printed", stdout.next_line()).await;
        line.expect("text").expect("another line")
    }

    /// Writes a line to standard input.
    pub async fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("not closed");
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.expect("an open pipe");
    }

    /// Closes standard output, as `head` does.
    pub fn stop_reading(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal: `INT` is Ctrl-C.
    pub async fn signal(&self, name: &str) {
        let process = self.child.id().expect("a running process").to_string();
        let kill = Command::new("kill").args(["-s", name, &process]).status();
        assert!(kill.await.expect("kill").success());
    }

    /// Waits for the end.
    pub async fn ended(mut self) -> Ended {
        drop(self.stdin.take());
        in_time("herald ended", async {
            let mut stdout = String::new();
            if let Some(mut lines) = self.stdout.take() {
                while let Some(line) = lines.next_line().await.expect("text") {
                    stdout += &format!("{line}\n");
                }
            }
            let mut stderr = String::new();
            while let Some(line) = self.stderr.next_line().await.expect("text") {
                stderr += &format!("{line}\n");
            }
            let status = self.child.wait().await.expect("a status");
            Ended {
                code: status.code(),
                stdout,
                stderr,
            }
        })
        .await
    }
}

/// Parses lines of JSON.
pub fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
