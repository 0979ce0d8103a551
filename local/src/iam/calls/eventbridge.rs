//! The calls of EventBridge. `PutEvents` needs its action on the bus of every entry.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-permissions-reference.html>

use serde_json::Value;

use crate::iam::{
    account::Account,
    call::{ANY, Call},
};

pub(super) fn calls(account: &Account, operation: &str, request: &Value) -> Vec<Call> {
    let call = |resource: String| Call::new(format!("events:{operation}"), resource);
    match operation {
        "PutEvents" => request["Entries"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| call(bus(account, &entry["EventBusName"])))
            .collect(),
        "DescribeEventBus" => vec![call(bus(account, &request["Name"]))],
        "DescribeRule" => vec![call(rule(account, request, "Name"))],
        "ListTargetsByRule" => vec![call(rule(account, request, "Rule"))],
        _ => vec![call(ANY.to_owned())],
    }
}

/// Returns the ARN of a bus by its name or ARN; without either, of the account's default bus.
fn bus(account: &Account, name_or_arn: &Value) -> String {
    account.arn_or(name_or_arn.as_str().unwrap_or("default"), |name| {
        account.arn("events", &format!("event-bus/{name}"))
    })
}

/// Returns the ARN of a rule, which has the name of its bus unless that is the default one.
fn rule(account: &Account, request: &Value, field: &str) -> String {
    let rule = request[field].as_str().unwrap_or(ANY);
    match request["EventBusName"].as_str() {
        None | Some("default") => account.arn("events", &format!("rule/{rule}")),
        Some(bus) => account.arn("events", &format!("rule/{bus}/{rule}")),
    }
}
