//! A stack of its own for every test, and `herald`, run as a shell would.

use std::{net::SocketAddr, path::Path, process::Stdio, sync::LazyLock, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_eventbridge::{Client as EventBridge, types::PutEventsRequestEntry};
use aws_sdk_secretsmanager::Client as SecretsManager;
use herald_local::{Authentication, Config, Functions, RunningStack};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

/// Longer than anything here takes; it only ends a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(240);

/// A stack uses the whole machine: one at a time.
static ONE_AT_A_TIME: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(1));

/// A running stack.
pub struct TestStack {
    pub running: RunningStack,
    _turn: SemaphorePermit<'static>,
}

impl TestStack {
    /// The stack of the repository's own template.
    pub async fn start(authentication: Authentication) -> Self {
        Self::start_with(authentication, &[]).await
    }

    /// The same with other values for some of the template's parameters.
    pub async fn start_with(authentication: Authentication, parameters: &[(&str, &str)]) -> Self {
        let turn = ONE_AT_A_TIME.acquire().await.expect("never closed");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the repository");
        let template = repository.join("template.yaml");
        let config = Config {
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            authentication,
            ..Config::new(template, Functions::Build { release: false })
        };
        let running = RunningStack::start(listener, config)
            .await
            .expect("a stack");
        Self {
            running,
            _turn: turn,
        }
    }

    /// The one port that serves everything.
    pub fn address(&self) -> SocketAddr {
        let endpoint = &self.running.addresses().endpoint;
        let address = endpoint.strip_prefix("http://").expect("an address");
        address.parse().expect("an address")
    }

    /// `herald` with these arguments, for this stack.
    pub fn herald(&self, arguments: &[&str]) -> Herald {
        herald(arguments).variable("HERALD_ENDPOINT", &self.running.addresses().endpoint)
    }

    /// Runs `herald`, which has to succeed, and returns what it printed.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let ended = self.herald(arguments).run("").await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    /// Closes every connection of a user, for good.
    pub async fn throw_out(&self, user: &str, reason: &str) {
        let detail = json!({"userId": user, "reason": reason, "reconnect": false});
        let entry = PutEventsRequestEntry::builder()
            .source("test")
            .detail_type("Disconnect User")
            .detail(detail.to_string());
        let events = EventBridge::new(&self.aws());
        let put = events.put_events().entries(entry.build()).send().await;
        assert_eq!(put.expect("events are taken").failed_entry_count(), 0);
    }

    /// The secret that the stack's tokens are signed with, and the audience that they need.
    pub async fn token_secret(&self) -> (String, String) {
        let stack = self.running.stack();
        let arn = &stack.outputs["TokenSecretArn"];
        let secrets = SecretsManager::new(&self.aws());
        let value = secrets.get_secret_value().secret_id(arn).send().await;
        let secret = value.expect("a secret").secret_string;
        let audience = stack.parameters["TokenAudience"].clone();
        (secret.expect("a text"), audience)
    }

    /// What leads to the stack's services.
    fn aws(&self) -> SdkConfig {
        let credentials = Credentials::new("local", "local", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.running.addresses().endpoint)
            .build()
    }

    /// Ends the stack, and with it every process it started.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }
}

/// `herald`, about to be run, in an environment of its own.
pub struct Herald {
    pub command: Command,
    pub home: TempDir,
}

/// `herald` that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// `herald` that runs.
pub struct Running {
    child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: Option<Lines<BufReader<ChildStdout>>>,
    stderr: Lines<BufReader<ChildStderr>>,
    _home: TempDir,
}

/// `herald` with these arguments, for no stack.
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
    /// The same with an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it with `input` on standard input, until it ends.
    pub async fn run(self, input: &str) -> Ended {
        let mut running = self.start();
        let mut stdin = running.stdin.take().expect("piped");
        // Whoever does not read it is gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        running.ended().await
    }

    /// Starts it.
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
    /// Waits until it says something with these words on standard error, and returns that line.
    pub async fn says(&mut self, words: &str) -> String {
        in_time(words, async {
            while let Some(line) = self.stderr.next_line().await.expect("text") {
                if line.contains(words) {
                    return line;
                }
            }
            panic!("it ended without saying {words:?}");
        })
        .await
    }

    /// The next line on standard output, as JSON.
    pub async fn prints(&mut self) -> Value {
        let stdout = self.stdout.as_mut().expect("still read");
        let line = in_time("a line was printed", stdout.next_line()).await;
        let line = line.expect("text").expect("another line");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Types a line.
    pub async fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("not closed");
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        written.expect("it reads");
    }

    /// Stops reading what it prints, as `head` does.
    pub fn stop_reading(&mut self) {
        self.stdout = None;
    }

    /// Sends a signal to it: `INT` is Ctrl-C.
    pub async fn signal(&self, name: &str) {
        let process = self.child.id().expect("it runs").to_string();
        let kill = Command::new("kill").args(["-s", name, &process]).status();
        assert!(kill.await.expect("kill").success());
    }

    /// Waits until it has ended.
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

/// Lines of JSON.
pub fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Waits for something that must come.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let polled = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    in_time(what, polled).await;
}
