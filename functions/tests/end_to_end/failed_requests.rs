//! The log line of a failed request, which `observability.yaml` counts for an alarm: for Lambda, a
//! function that answers with an error frame has succeeded.

use std::fs;

use herald_local::iam::Revoked;
use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::{
    harness::{TestStack, repository},
    watcher::Watcher,
};

#[local_only("revokes a permission of a function")]
#[tokio::test]
async fn log_line_of_a_failed_request_matches_the_metric_filter() {
    let stack = TestStack::try_start_with(|config| {
        let format = ("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
        config.environment.extend([format]);
        config.faults.revoked = vec![Revoked {
            function: "SubscribeFunction".to_owned(),
            action: "dynamodb:UpdateItem".to_owned(),
            resource: None,
        }];
    });
    let stack = stack.await.unwrap();
    let mut watcher = Watcher::start(&stack.running().addresses().endpoint, None).await;
    let mut client = stack.client().await;
    let reply = client
        .ask(json!({"action": "subscribe", "entityId": "order-1"}))
        .await;
    assert_eq!(reply["code"], "internal", "{reply}");
    let line = error_of(&mut watcher, "SubscribeFunction").await;
    stack.stop_after_refusals().await;

    let pattern = format!(
        "'{{ $.level = {} && $.fields.message = {} }}'",
        line["level"], line["fields"]["message"]
    );
    let observability = fs::read_to_string(repository().join("observability.yaml")).unwrap();
    let filters = observability.lines().filter_map(|line| {
        let (name, pattern) = line.trim().split_once(": ")?;
        (name == "FilterPattern").then_some(pattern)
    });
    assert_eq!(filters.collect::<Vec<_>>(), [pattern]);
}

/// Returns the first line of level ERROR that a function logs.
async fn error_of(watcher: &mut Watcher, function: &str) -> Value {
    loop {
        let invocation = watcher.record_of("invocation").await;
        if invocation["function"] != function {
            continue;
        }
        let lines = invocation["logs"].as_array().unwrap().iter();
        let mut lines = lines.filter_map(|line| serde_json::from_str(line.as_str()?).ok());
        if let Some(line) = lines.find(|line: &Value| line["level"] == "ERROR") {
            return line;
        }
    }
}
