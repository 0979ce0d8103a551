//! The limit of open files.
#![cfg(target_os = "linux")]

use std::fs;

use super::harness::Run;

/// See docs/local-vs-aws.md: "Connections are files".
#[tokio::test]
async fn soft_limit_of_open_files_is_raised_to_the_hard_limit() {
    let mut run = Run::start_after("ulimit -Sn 256 && ulimit -Hn 600", &["--json"]);
    run.line().await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", run.process())).unwrap();
    let mut lines = limits.lines();
    let open_files = lines
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let columns: Vec<_> = open_files.split_whitespace().collect();
    assert_eq!(columns[..2], ["600", "600"]);
}

/// See docs/local-vs-aws.md: "Connections are files".
#[tokio::test]
async fn exhausted_open_files_are_logged_once_with_remedy() {
    let mut run = Run::start_after("ulimit -n 300", &["--json"]);
    let addresses: serde_json::Value = serde_json::from_str(&run.line().await).unwrap();
    let endpoint = addresses["endpoint"].as_str().unwrap();
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut connections = Vec::new();
    // More than it can accept: the others wait in the kernel.
    for _ in 0..350 {
        connections.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    crate::processes::until(|| run.errors().contains("failed to accept a connection")).await;
    drop(connections);
    let errors = run.end_with(rustix::process::Signal::TERM).await.errors;
    let logged: Vec<_> = errors
        .lines()
        .filter(|line| line.contains("failed to accept a connection"))
        .collect();
    assert_eq!(logged.len(), 1, "{errors}");
    assert!(
        logged[0].contains("300") && logged[0].contains("`ulimit -n`"),
        "{errors}"
    );
}
