//! How a run ends, and what it leaves behind: nothing.
#![cfg(target_os = "linux")]

use rustix::process::Signal;

use super::harness::Stack;
use crate::{
    processes::{children, runs, until},
    programs::function_names,
};

#[tokio::test]
async fn a_signal_to_end_is_obeyed_in_order() {
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
async fn no_function_process_outlives_a_kill() {
    for arguments in [&[][..], &["--freeze"]] {
        let stack = Stack::start(arguments).await;
        let functions = function_processes(&stack);
        stack.run.end_with(Signal::KILL).await;
        until(|| !functions.iter().any(|process| runs(*process))).await;
    }
}

/// One for each of the template's functions, and the one that guards them.
fn function_processes(stack: &Stack) -> Vec<u32> {
    let processes = children(stack.run.process());
    assert_eq!(processes.len(), function_names().len() + 1);
    processes
}
