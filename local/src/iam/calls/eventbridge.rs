//! EventBridge. `PutEvents` needs its action on every bus that an entry is for.
//!
//! Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-permissions-reference.html>

use serde_json::Value;

use super::{ANY, Account, Call, list};

pub(super) fn calls(account: &Account, operation: &str, request: &Value) -> Vec<Call> {
    let call = |resource: String| Call::new(format!("events:{operation}"), resource);
    match operation {
        "PutEvents" => list(request, "Entries")
            .iter()
            .map(|entry| call(bus(account, &entry["EventBusName"])))
            .collect(),
        "DescribeEventBus" => vec![call(bus(account, &request["Name"]))],
        "DescribeRule" => vec![call(rule(account, request, "Name"))],
        "ListTargetsByRule" => vec![call(rule(account, request, "Rule"))],
        _ => vec![call(ANY.to_owned())],
    }
}

/// A bus by its name or ARN; none is the account's default bus.
fn bus(account: &Account, name_or_arn: &Value) -> String {
    account.arn_or(name_or_arn.as_str().unwrap_or("default"), |name| {
        account.arn("events", &format!("event-bus/{name}"))
    })
}

/// A rule, whose ARN names its bus unless that is the default one.
fn rule(account: &Account, request: &Value, field: &str) -> String {
    let rule = request[field].as_str().unwrap_or(ANY);
    match request["EventBusName"].as_str() {
        None | Some("default") => account.arn("events", &format!("rule/{rule}")),
        Some(bus) => account.arn("events", &format!("rule/{bus}/{rule}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::check;

    #[test]
    fn an_operation_needs_its_action_on_the_buses_and_rules_it_names() {
        for (operation, request, expected) in [
            (
                "PutEvents",
                json!({"Entries": [
                    {"Source": "a"},
                    {"EventBusName": "orders"},
                    {"EventBusName": "arn:aws:events:x:1:event-bus/other"},
                ]}),
                &[
                    "events:PutEvents arn:aws:events::event-bus/default",
                    "events:PutEvents arn:aws:events::event-bus/orders",
                    "events:PutEvents arn:aws:events:x:1:event-bus/other",
                ][..],
            ),
            (
                "DescribeRule",
                json!({"Name": "R"}),
                &["events:DescribeRule arn:aws:events::rule/R"],
            ),
            (
                "ListTargetsByRule",
                json!({"Rule": "R", "EventBusName": "orders"}),
                &["events:ListTargetsByRule arn:aws:events::rule/orders/R"],
            ),
            ("ListRules", json!({}), &["events:ListRules *"]),
        ] {
            check("AWSEvents", operation, request, expected);
        }
    }
}
