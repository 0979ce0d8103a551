//! Tests of failed invocations, and of the function after each.

use std::time::Duration;

use herald_local::{
    lambda::{HostSettings, Invocation, Invoke},
    template::Function,
};
use serde_json::json;

use super::harness::{
    FUNCTION, Gate, failed, function, host, host_of, invoke, works_with_processes_started,
};
use crate::processes::runs;

#[tokio::test]
async fn function_error_is_returned_and_the_process_survives() {
    let host = host(HostSettings::default());
    let error = failed(invoke(&host, json!({ "do": "error" })).await);
    assert_eq!(error.error_message, "no such order");
    works_with_processes_started(&host, 1).await;
    host.shutdown().await;
}

#[tokio::test]
async fn panic_is_a_function_error_and_the_process_survives() {
    let host = host(HostSettings::default());
    let error = failed(invoke(&host, json!({ "do": "panic" })).await);
    assert!(error.error_message.contains("a bug"), "{error:?}");
    works_with_processes_started(&host, 1).await;
    host.shutdown().await;
}

#[tokio::test]
async fn exit_fails_the_invocation_and_the_next_gets_a_new_process() {
    let host = host(HostSettings::default());
    let error = failed(invoke(&host, json!({ "do": "exit" })).await);
    assert_eq!(error.error_type, "Runtime.ExitError");
    let end = "Error: Runtime exited with error: exit status 4";
    assert!(error.error_message.ends_with(end), "{error:?}");
    works_with_processes_started(&host, 2).await;
    host.shutdown().await;
}

#[tokio::test]
async fn timed_out_invocation_is_killed_and_the_next_gets_a_new_process() {
    let function = Function {
        timeout: Duration::from_millis(250),
        ..function()
    };
    let host = host_of(function, HostSettings::default());
    host.warm_up().await.unwrap();
    let process = host.process_ids(FUNCTION)[0];
    let error = failed(invoke(&host, json!({ "do": "hang" })).await);
    assert_eq!(error.error_type, "Sandbox.Timedout");
    let end = "Task timed out after 0.25 seconds";
    assert!(error.error_message.ends_with(end), "{error:?}");
    assert!(!runs(process));
    invoke(&host, json!({ "do": "pid" })).await;
    assert_eq!(host.started(FUNCTION), 2);
    host.shutdown().await;
}

#[tokio::test]
async fn too_large_answer_fails_the_invocation() {
    let host = host(HostSettings::default());
    let error = failed(invoke(&host, json!({ "do": "large" })).await);
    assert_eq!(error.error_type, "Function.ResponseSizeTooLarge");
    host.shutdown().await;
}

#[tokio::test]
async fn killed_process_fails_its_invocation_and_is_replaced() {
    let host = host(HostSettings::default());
    let gate = Gate::new();
    let kill_while_busy = async {
        gate.reached().await;
        host.kill(FUNCTION);
    };
    let (invocation, ()) = tokio::join!(invoke(&host, gate.meet()), kill_while_busy);
    let error = failed(invocation);
    assert!(error.error_message.ends_with("signal: killed"), "{error:?}");
    works_with_processes_started(&host, 2).await;

    host.kill(FUNCTION);
    works_with_processes_started(&host, 3).await;
    host.shutdown().await;
}

#[tokio::test]
async fn unknown_function_is_refused() {
    let host = host(HostSettings::default());
    let refused = Invocation::Refused("function Unknown does not exist".to_owned());
    assert_eq!(host.invoke("Unknown", "{}".into()).await, refused);
    host.shutdown().await;
}
