//! What a function sees of where it runs.

use std::collections::BTreeMap;

use herald_local::lambda::HostSettings;
use serde_json::json;

use super::harness::{
    TIMEOUT, function_with, host, host_of, invoke, pairs, returned, since_the_epoch,
};

#[tokio::test]
async fn the_runtime_is_told_its_deadline_function_and_trace() {
    let host = host(HostSettings::default());
    let before = (since_the_epoch() + TIMEOUT).as_millis();
    let context = returned(invoke(&host, json!({ "do": "context" })).await);
    let after = (since_the_epoch() + TIMEOUT).as_millis();
    let deadline = u128::from(context["deadline"].as_u64().unwrap());
    assert!((before..=after).contains(&deadline), "{deadline}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:stack-Scripted";
    assert_eq!(context["arn"], arn);
    assert!(context["traceId"].as_str().unwrap().starts_with("Root=1-"));
    host.shutdown().await;
}

#[tokio::test]
async fn a_function_sees_its_variables_and_nothing_of_this_machine() {
    let host = host_of(
        function_with(&[("TABLE", "rows")]),
        HostSettings {
            environment: pairs(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]),
            ..HostSettings::default()
        },
    );
    let variables = returned(invoke(&host, json!({ "do": "variables" })).await);
    let variables: BTreeMap<String, String> =
        serde_json::from_value::<Vec<(String, String)>>(variables)
            .unwrap()
            .into_iter()
            .collect();
    assert_eq!(variables["TABLE"], "rows");
    assert_eq!(variables["AWS_ENDPOINT_URL"], "http://127.0.0.1:1");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "stack-Scripted");
    let known = [
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "TABLE",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        // Set by the runtime from the event's header, and by macOS for every process.
        "_X_AMZN_TRACE_ID",
        "__CF_USER_TEXT_ENCODING",
    ];
    let strange: Vec<&String> = variables
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
    host.shutdown().await;
}
