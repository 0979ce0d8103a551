//! Tests that no process outlives its host.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use herald_local::lambda::Invocation;
use serde_json::json;

use super::harness::{FUNCTION, Gate, TIMEOUT, failed, host_with_one_process, invoke};
use crate::{
    processes::{runs, until},
    programs::example,
};

#[tokio::test]
async fn shutdown_ends_all_processes_and_refuses_waiting_and_later_invocations() {
    let host = host_with_one_process(TIMEOUT);
    let gate = Gate::new();
    let shut_down_while_busy = async {
        gate.reached().await;
        let processes = host.process_ids(FUNCTION);
        host.shutdown().await;
        processes
    };
    let (busy, waiting, processes) = tokio::join!(
        invoke(&host, gate.meet()),
        invoke(&host, json!({ "do": "pid" })),
        shut_down_while_busy
    );
    assert_eq!(processes.len(), 1);
    assert!(!runs(processes[0]));
    failed(busy);
    let later = invoke(&host, json!({ "do": "pid" })).await;
    let refused = Invocation::Refused("the functions are shutting down".to_owned());
    assert_eq!([waiting, later], [refused.clone(), refused]);
    assert!(host.warm_up().await.is_err());
}

#[tokio::test]
async fn killed_host_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Command::new(example("scripted_host"))
        .arg(example("scripted_function"))
        .arg(folder.path().join("arrived"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = host.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let processes: Vec<u32> = serde_json::from_str(&line).unwrap();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|process| runs(*process)));

    host.kill().unwrap();
    host.wait().unwrap();
    until(|| !processes.iter().any(|process| runs(*process))).await;
}
