//! The clients in JavaScript: one process of Node.js that reports what its applications get.

use std::process::Stdio;

use herald_testkit::repository;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc::UnboundedSender,
};

use super::{Line, Plan};

/// Starts the clients. They end with the returned process, which is killed when it is dropped.
pub fn start(plans: &[Plan], lines: UnboundedSender<Line>) -> Child {
    let mut node = Command::new("node")
        .arg(repository().join("web/tests/mixed-clients.js"))
        .arg(serde_json::to_string(plans).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node.js is installed");
    let mut output = BufReader::new(node.stdout.take().unwrap()).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = output.next_line().await {
            let _ = lines.send(serde_json::from_str(&line).expect(&line));
        }
    });
    node
}
