//! The examples, run as a reader would run them.

use std::{env, path::PathBuf, process::Stdio};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::harness::{TestStack, connect, entity, in_time};

/// A running example.
struct Example {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(path_of(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let output = process.stdout.take().expect("piped");
        Self {
            input: process.stdin.take(),
            output: BufReader::new(output).lines(),
            process,
        }
    }

    async fn write_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("not closed");
        let line = format!("{line}\n");
        input
            .write_all(line.as_bytes())
            .await
            .expect("an open pipe");
    }

    async fn next_line(&mut self) -> String {
        let line = in_time("the example printed a line", self.output.next_line()).await;
        line.expect("text").expect("not the end")
    }

    /// Closes the input, and waits until the example has ended with success.
    async fn succeed(mut self) {
        drop(self.input.take());
        let status = in_time("the example ended", self.process.wait()).await;
        assert!(status.expect("its status").success());
    }
}

/// Returns the binary of an example, which `cargo test` builds beside the folder of this test's binary.
fn path_of(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a path");
    let profile = test.parent().and_then(|deps| deps.parent());
    let path = profile.expect("a folder").join("examples").join(name);
    let path = path.with_extension(env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build -p herald-client --examples`",
        path.display()
    );
    path
}

#[tokio::test]
async fn chat_prints_the_lines_of_the_others() {
    let stack = TestStack::start().await;
    let mut alice = Example::start("chat", &[stack.web_socket(), "Alice"]);
    let mut bob = Example::start("chat", &[stack.web_socket(), "Bob"]);
    assert_eq!(alice.next_line().await, "Alice is in room-1; Ctrl-D leaves");
    assert_eq!(bob.next_line().await, "Bob is in room-1; Ctrl-D leaves");
    alice.write_line("Hello").await;
    assert_eq!(bob.next_line().await, "Alice: Hello");
    bob.write_line("Goodbye").await;
    assert_eq!(alice.next_line().await, "Bob: Goodbye");
    alice.succeed().await;
    bob.succeed().await;
    stack.stop().await;
}

#[tokio::test]
async fn dashboard_prints_updates_of_its_orders() {
    let stack = TestStack::start().await;
    let mut dashboard = Example::start("dashboard", &[stack.web_socket()]);
    let mut lines = [dashboard.next_line().await, dashboard.next_line().await];
    lines.sort();
    assert_eq!(lines, ["connected", "watching order-1, order-2, order-3"]);
    stack.update("order-2", json!({"state": "packed"})).await;
    assert_eq!(dashboard.next_line().await, "order-2 is packed");
    stack.update("order-2", json!({"state": "shipped"})).await;
    assert_eq!(dashboard.next_line().await, "order-2 is shipped");
    stack.stop().await;
}

#[tokio::test]
async fn publish_prints_the_event_ids_of_its_pushes() {
    let stack = TestStack::start().await;
    let client = stack.client().await;
    let order = client.subscribe(entity("order-1")).await;
    let mut order = order.expect("a subscription");
    let mut broadcasts = client.broadcasts();
    let mut publish = Example::start("publish", &[stack.web_socket()]);

    let update = in_time("the update arrived", order.recv()).await;
    let update = update.expect("a push");
    assert_eq!(update.name().as_deref(), Some("warehouse"));
    let message: serde_json::Value = update.message().expect("a message");
    assert_eq!(message, json!({"state": "shipped"}));
    let id = update.event_id().expect("an id");
    assert_eq!(publish.next_line().await, format!("order-1: {id}"));

    let mut ids = Vec::new();
    for _ in 0..2 {
        let news = in_time("the news arrived", broadcasts.recv()).await;
        ids.push(news.expect("a push").event_id().expect("an id").to_owned());
    }
    let printed = publish.next_line().await;
    let printed = printed.strip_prefix("everyone: ").expect("the news");
    let mut printed: Vec<_> = printed.split(' ').collect();
    printed.sort_unstable();
    ids.sort_unstable();
    assert_eq!(printed, ids);
    publish.succeed().await;
    stack.stop().await;
}

#[tokio::test]
async fn roster_prints_who_is_here_and_who_left() {
    let stack = TestStack::start_with_presence().await;
    let permissions = json!({"room-1": ["subscribe", "presence"]});
    let token = stack.token("alice", permissions.clone()).await;
    let mut roster = Example::start("roster", &[stack.web_socket(), &token]);
    assert_eq!(roster.next_line().await, "alice is here");
    assert_eq!(roster.next_line().await, "1 are in room-1");

    let bob = stack.tokens("bob", permissions, 3600);
    let bob = connect(stack.web_socket(), bob).await;
    let room = in_time("subscribed", bob.subscribe(entity("room-1")));
    let room = room.await.expect("a subscription");
    assert_eq!(roster.next_line().await, "bob is here");
    assert_eq!(roster.next_line().await, "2 are in room-1");
    drop(room);
    assert_eq!(roster.next_line().await, "bob left");
    assert_eq!(roster.next_line().await, "1 are in room-1");
    stack.stop().await;
}
