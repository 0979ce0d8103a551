//! The end of a run, which leaves no process behind.
#![cfg(target_os = "linux")]

use rustix::process::Signal;

use super::harness::Stack;
use crate::{
    processes::{children, runs, until},
    programs::function_names,
};

#[tokio::test]
async fn signal_ends_the_run_and_its_functions() {
    for signal in [Signal::INT, Signal::TERM] {
        let stack = Stack::start(&[]).await;
        let socket = stack.connect().await;
        let functions = function_processes(&stack);
        let port = stack.port();
        let ended = stack.run.end_with(signal).await;
        assert_eq!(ended.status.code(), Some(0), "{signal:?}: {}", ended.errors);
        assert!(
            !functions.iter().any(|process| runs(*process)),
            "{signal:?}"
        );
        drop(socket);

        let next = Stack::start(&["--port", &port]).await;
        assert_eq!(next.port(), port);
    }
}

#[tokio::test]
async fn no_function_process_outlives_a_killed_run() {
    for arguments in [&[][..], &["--freeze"]] {
        let stack = Stack::start(arguments).await;
        let functions = function_processes(&stack);
        stack.run.end_with(Signal::KILL).await;
        until(|| !functions.iter().any(|process| runs(*process))).await;
    }
}

/// Returns the processes: one for each of the template's functions, and their guard.
fn function_processes(stack: &Stack) -> Vec<u32> {
    let processes = children(stack.run.process());
    assert_eq!(processes.len(), function_names().len() + 1);
    processes
}
