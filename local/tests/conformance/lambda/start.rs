//! Tests of the start of a process, up to its first event.

use std::time::Duration;

use herald_local::lambda::{FunctionProcess, Host, HostSettings};
use serde_json::json;

use super::harness::{
    FUNCTION, failed, function, function_with, host, host_of, invoke, works_with_processes_started,
};

#[tokio::test]
async fn failed_start_is_reported_with_function_exit_status_and_last_lines() {
    let cases = [
        ("exit", "exit status 3", "the table has no name"),
        ("panic", "exit status 101", "no configuration"),
        ("report", "Config: no table", "; it printed nothing"),
    ];
    for (at_start, failure, last_line) in cases {
        let host = host_of(
            function_with(&[("AT_START", at_start)]),
            HostSettings::default(),
        );
        let sentence = host.warm_up().await.unwrap_err().to_string();
        assert!(
            sentence.starts_with("function Scripted failed at start: "),
            "{sentence}"
        );
        assert!(sentence.contains(failure), "{sentence}");
        assert!(sentence.contains(last_line), "{sentence}");
        host.shutdown().await;
    }
}

#[tokio::test]
async fn each_invocation_tries_a_failing_start_once() {
    let host = host_of(
        function_with(&[("AT_START", "exit")]),
        HostSettings::default(),
    );
    for started in 1..=2 {
        let error = failed(invoke(&host, json!({ "do": "pid" })).await);
        assert_eq!(error.error_type, "Runtime.ExitError");
        assert_eq!(host.started(FUNCTION), started);
    }
    host.shutdown().await;
}

#[tokio::test]
async fn process_that_exceeds_the_init_limit_is_ended() {
    let host = host_of(
        function_with(&[("AT_START", "hang")]),
        HostSettings {
            init_limit: Duration::from_millis(250),
            ..HostSettings::default()
        },
    );
    let error = failed(invoke(&host, json!({ "do": "pid" })).await);
    assert!(
        error
            .error_message
            .ends_with("Init timed out after 0.25 seconds"),
        "{error:?}"
    );
    assert!(host.process_ids(FUNCTION).is_empty());
    host.shutdown().await;
}

#[tokio::test]
async fn warmed_up_function_needs_no_second_process() {
    let host = host(HostSettings::default());
    host.warm_up().await.unwrap();
    works_with_processes_started(&host, 1).await;
    host.shutdown().await;
}

#[tokio::test]
async fn missing_binary_is_one_sentence() {
    let functions = vec![FunctionProcess {
        function: function(),
        binary: "/no/such/binary".into(),
    }];
    let error = Host::start(functions, HostSettings::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "function Scripted has no binary at /no/such/binary; build it first"
    );
}
