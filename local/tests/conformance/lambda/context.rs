//! Tests of a function's invocation context and environment variables.

use std::collections::BTreeMap;

use herald_local::lambda::HostSettings;
use serde_json::json;

use super::harness::{
    TIMEOUT, function_with, host, host_of, invoke, pairs, returned, since_the_epoch,
};

#[tokio::test]
async fn invocation_context_has_deadline_arn_and_trace_id() {
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
async fn function_sees_its_variables_and_none_of_this_machine() {
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
        // The runtime sets the first from the event's header, macOS the second for every process.
        "_X_AMZN_TRACE_ID",
        "__CF_USER_TEXT_ENCODING",
    ];
    let unexpected: Vec<&String> = variables
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    host.shutdown().await;
}
